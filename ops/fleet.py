"""The hosts of a running environment: what each of them is, and how the controller reaches its processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from ops.errors import OpsError
from ops.inventory import path_of


@dataclass(frozen=True)
class Fleet:
    """`addresses` are what people use, `groups` are the inventory's.

    `endpoint(host, port)` is what a MongoDB client on the controller connects to.
    """

    addresses: Mapping[str, str]
    groups: Mapping[str, list[str]]
    endpoint: Callable[[str, int], str]


def inventory_file(env: str) -> Path:
    """The environment's inventory. Raises OpsError when there is none."""
    path = path_of(env)
    if not path.exists():
        raise OpsError(f"there is no cluster {env}; `make cluster-up ENV={env}` builds one")
    return path


def local(env: str) -> Fleet:
    """The local hosts of an environment. Raises OpsError when there are none."""
    inventory = yaml.safe_load(inventory_file(env).read_text())["all"]
    addresses = {name: host["ansible_host"] for name, host in inventory["hosts"].items()}
    groups = {group: list(value["hosts"]) for group, value in inventory["children"].items()}
    return Fleet(addresses, groups, lambda host, port: f"{addresses[host]}:{port}")

"""The hosts of a running environment: what each of them is, and how the controller reaches its processes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from ops import ssh
from ops.errors import OpsError
from ops.inventory import path_of
from ops.topology import ports_of


@dataclass(frozen=True)
class Fleet:
    """`addresses` are what people use, `groups` are the inventory's.

    `endpoint(host, port)` is what a MongoDB client on the controller connects to, `remote(host)` runs commands there.
    """

    addresses: Mapping[str, str]
    groups: Mapping[str, list[str]]
    endpoint: Callable[[str, int], str]
    remote: Callable[[str], ssh.Remote]


def inventory_file(env: str) -> Path:
    """The environment's inventory. Raises OpsError when there is none."""
    path = path_of(env)
    if not path.exists():
        raise OpsError(f"there is no cluster {env}; `make cluster-up ENV={env}` builds one")
    return path


@contextmanager
def local(env: str) -> Iterator[Fleet]:
    """The local hosts of an environment. Raises OpsError when there are none."""
    inventory = yaml.safe_load(inventory_file(env).read_text())["all"]
    addresses = {name: host["ansible_host"] for name, host in inventory["hosts"].items()}
    groups = {group: list(value["hosts"]) for group, value in inventory["children"].items()}
    with forwarded(addresses, groups, {name: ssh.command(env, addresses[name]) for name in addresses}) as fleet:
        yield fleet


@contextmanager
def forwarded(
    addresses: Mapping[str, str], groups: Mapping[str, list[str]], commands: Mapping[str, list[str]]
) -> Iterator[Fleet]:
    """Forwards a socket to each MongoDB process through ssh: members accept connections from the cluster only.

    `commands` are the ssh commands that log in to the hosts, the destination last. A host that ssh can't reach has
    endpoints too, on which nothing listens.
    """
    with ssh.socket_directory() as directory, ExitStack() as stack:

        def endpoint(host: str, port: int) -> str:
            return quote(f"{directory}/{host}-{port}.sock", safe="")

        def login(host: str) -> list[str]:
            *command, destination = commands[host]
            return [*command, "-S", f"{directory}/{host}.ctl", destination]

        def forward(host: str) -> None:
            *command, destination = login(host)
            ports = ports_of(tuple(group for group, names in groups.items() if host in names))
            forwards = [("-L", f"{directory}/{host}-{port}.sock:127.0.0.1:{port}") for port in ports]
            # -f returns once every forward is listening: no need to wait afterwards.
            options = ["-f", "-N", "-M", "-o", "ControlPersist=no", *(word for pair in forwards for word in pair)]
            _call([*command, *options, destination])
            stack.callback(_call, [*command, "-O", "exit", destination])

        with ThreadPoolExecutor(max_workers=16) as pool:
            list(pool.map(forward, commands))
        yield Fleet(addresses, groups, endpoint, lambda host: ssh.Remote(host, login(host)))


def _call(command: list[str]) -> None:
    # No pipes: the background process would keep them open.
    quiet: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, check=False, **quiet)

"""Ansible filter: data of replica sets that the inventory lists nowhere, or on other hosts only. See DOCUMENTATION."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any

DOCUMENTATION = r"""
name: unlisted_data
short_description: Find data of replica sets that the inventory doesn't list on any of the data's hosts
description:
  - A member keeps its data in a directory named after its replica set. Continuing without the hosts that have
    the data would start an empty set beside it.
options:
  _input:
    description: Maps each host to what C(ansible.builtin.find) returned for files named C(WiredTiger).
    type: dict
    required: true
  replica_sets:
    description: The replica sets, each with C(name) and C(hosts).
    type: list
    elements: dict
    required: true
author: [Film Library]
"""

EXAMPLES = r"""
- name: Compare the data with the inventory
  ansible.builtin.assert:
    that: found_on_hosts | unlisted_data(validate_replica_sets) | length == 0
"""

RETURN = r"""
_value:
  description: One entry for each set, with the hosts that have its data.
  type: list
  elements: str
  sample: [shard3 on db-1, db-2]
"""


def unlisted_data(found: Mapping[str, Mapping[str, Any]], replica_sets: list[dict[str, Any]]) -> list[str]:
    """The replica sets whose data lies only on hosts that the inventory doesn't list for them, as `NAME on HOSTS`."""
    listed = {entry["name"]: set(entry["hosts"]) for entry in replica_sets}
    data: dict[str, list[str]] = {}
    for host, result in found.items():
        for file in result.get("files", []):
            data.setdefault(PurePosixPath(file["path"]).parent.name, []).append(host)
    return [f"{name} on {', '.join(hosts)}" for name, hosts in data.items() if not listed.get(name, set()) & set(hosts)]


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlisted_data": unlisted_data}

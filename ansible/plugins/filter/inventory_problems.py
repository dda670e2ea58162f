"""Ansible filter: what is wrong with an inventory. See DOCUMENTATION."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

DOCUMENTATION = r"""
name: inventory_problems
short_description: List everything that is wrong with a cluster's inventory
description:
  - Finds empty or misnamed groups, wrong numbers of members, bad host names, addresses used twice and colliding ports.
options:
  _input:
    description: The inventory's groups. Maps each name to its hosts.
    type: dict
    required: true
  replica_sets:
    description: The replica sets, each with C(name), C(port) and C(hosts).
    type: list
    elements: dict
    required: true
  addresses:
    description: Maps each host to its address.
    type: dict
    required: true
  router_port:
    description: Port of the routers.
    type: int
    required: true
  allow_single_member:
    description: Whether a replica set may have a single member.
    type: bool
    default: false
author: [Film Library]
"""

EXAMPLES = r"""
- name: Check the inventory
  ansible.builtin.assert:
    that: problems | length == 0
    fail_msg: "{{ problems }}"
  vars:
    problems: "{{ groups | inventory_problems(validate_replica_sets, validate_hosts, router_port=mongos_port) }}"
"""

RETURN = r"""
_value:
  description: One sentence for each problem.
  type: list
  elements: str
  sample: [the group mongos has no host]
"""

#: Odd, so that no half is a majority. MongoDB allows seven voting members.
MEMBERS = (3, 5, 7)


def inventory_problems(
    groups: Mapping[str, list[str]],
    replica_sets: list[dict[str, Any]],
    addresses: Mapping[str, str],
    router_port: int,
    allow_single_member: bool = False,
) -> list[str]:
    """One sentence for each problem of the inventory."""
    return [
        *_groups(groups),
        *_sizes(replica_sets, (1, *MEMBERS) if allow_single_member else MEMBERS),
        *_hosts(addresses),
        *_ports(groups, replica_sets, addresses, router_port),
    ]


def _groups(groups: Mapping[str, list[str]]) -> Iterator[str]:
    for group in ("config", "shard1", "mongos"):
        if not groups.get(group):
            yield f"the group {group} has no host"
    for group in groups:
        if group.startswith("shard") and not re.fullmatch("shard[1-9][0-9]*", group):
            yield f"the group {group} must be named shard1, shard2, ..."


def _sizes(replica_sets: list[dict[str, Any]], allowed: tuple[int, ...]) -> Iterator[str]:
    for entry in replica_sets:
        if len(entry["hosts"]) not in allowed:
            yield (
                f"the group {entry['name']} has {len(entry['hosts'])} hosts, allowed are 3, 5 or 7"
                " (1 with cluster_allow_single_member)"
            )


def _hosts(addresses: Mapping[str, str]) -> Iterator[str]:
    for name in addresses:
        if not re.fullmatch("[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name):
            yield f"{name} is not a host name (lower-case letters, digits, - and .)"
    for address in dict.fromkeys(addresses.values()):
        names = [name for name, value in addresses.items() if value == address]
        if len(names) > 1:
            yield f"{' and '.join(names)} have the same address {address}"


def _ports(
    groups: Mapping[str, list[str]], replica_sets: list[dict[str, Any]], hosts: Mapping[str, str], router_port: int
) -> Iterator[str]:
    for host in hosts:
        ports = [int(entry["port"]) for entry in replica_sets if host in entry["hosts"]]
        ports += [int(router_port)] if host in groups.get("mongos", []) else []
        if len(set(ports)) < len(ports):
            yield f"two processes on {host} would listen on the same port: {', '.join(map(str, sorted(ports)))}"


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"inventory_problems": inventory_problems}

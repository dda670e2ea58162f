"""The cluster's hosts and their groups, for a topology with a number of shards and members.

Ports and layouts are those of ansible/group_vars/all/topology.json, which Ansible and Terraform read, too. It has:

- `cluster_ports`. Each shard has its own port, because members of several shards can share a host.
- `cluster_layouts`: for each topology, the kinds of host and the inventory groups of each kind. `shard*` means every
  shard; as a kind, one kind per shard.
- `cluster_first_addresses`: the last part of the address of each kind's first host. A host keeps its address when
  others are added or removed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Network

from ops.paths import ANSIBLE

_FILE = json.loads((ANSIBLE / "group_vars/all/topology.json").read_text())
_PORTS: dict[str, int] = _FILE["cluster_ports"]
_LAYOUTS: dict[str, dict[str, list[str]]] = _FILE["cluster_layouts"]
_FIRST_ADDRESSES: dict[str, int] = _FILE["cluster_first_addresses"]
_EVERY_SHARD = "shard*"

TOPOLOGIES = tuple(_LAYOUTS)

CONFIG_PORT = _PORTS["config"]
MONGOS_PORT = _PORTS["mongos"]
REDIRECT_PORT = _PORTS["redirect"]
USER_APP_PORT = _PORTS["user_app"]
ADMIN_APP_PORT = _PORTS["admin_app"]


@dataclass(frozen=True)
class Host:
    """A host and the inventory groups that say what runs on it."""

    name: str
    address: str
    groups: tuple[str, ...]


def shard_port(number: int) -> int:
    """The port of shard `number` (from 1)."""
    return _PORTS["first_shard"] + _PORTS["shard_step"] * (number - 1)


def ports_of(groups: tuple[str, ...]) -> list[int]:
    """The ports of the MongoDB processes on a host in these inventory groups."""
    named = {"config": CONFIG_PORT, "mongos": MONGOS_PORT}
    shards = [shard_port(int(group[5:])) for group in groups if group[5:].isdecimal()]
    return [named[group] for group in groups if group in named] + shards


def plan(topology: str, *, shards: int, members: int, subnet: IPv4Network) -> list[Host]:
    """A topology's hosts; `members` is the size of each replica set. Raises ValueError for an unknown topology."""
    if topology not in _LAYOUTS:
        raise ValueError(f"unknown topology {topology!r}, expected one of {', '.join(TOPOLOGIES)}")
    names = [f"shard{number}" for number in range(1, shards + 1)]
    hosts = []
    for kind, groups in _kinds(_LAYOUTS[topology], names).items():
        first = _first_address(kind)
        hosts += [
            Host(f"{kind}-{index + 1}", str(subnet.network_address + first + index), tuple(groups))
            for index in range(1 if kind == "router" else members)
        ]
    return hosts


def _kinds(layout: dict[str, list[str]], shards: list[str]) -> dict[str, list[str]]:
    """The layout's kinds of host with their groups, `shard*` replaced by the shards."""
    kinds: dict[str, list[str]] = {}
    for kind, groups in layout.items():
        if kind == _EVERY_SHARD:
            kinds |= {shard: [shard] for shard in shards}
        else:
            kinds[kind] = [name for group in groups for name in (shards if group == _EVERY_SHARD else [group])]
    return kinds


def _first_address(kind: str) -> int:
    """The last part of the address of the kind's first host."""
    if kind in _FIRST_ADDRESSES:
        return _FIRST_ADDRESSES[kind]
    return _FIRST_ADDRESSES["first_shard"] + _FIRST_ADDRESSES["shard_step"] * (int(kind.removeprefix("shard")) - 1)

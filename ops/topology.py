"""The cluster's hosts and their groups, for a topology with a number of shards and members."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

TOPOLOGIES = ("compact", "dedicated")

CONFIG_PORT = 27019
MONGOS_PORT = 27017
USER_APP_PORT = 80
ADMIN_APP_PORT = 8080

# The last part of an address depends on the host's role only, so it stays when others are added or removed.
_MEMBERS_FROM = 10
_ROUTERS_FROM = 30
_SHARDS_FROM = 40


@dataclass(frozen=True)
class Host:
    """A host and the inventory groups that say what runs on it."""

    name: str
    address: str
    groups: tuple[str, ...]


def shard_port(number: int) -> int:
    """The port of shard `number` (from 1): members of several shards can share a host."""
    return 27018 + 10 * (number - 1)


def ports_of(groups: tuple[str, ...]) -> list[int]:
    """The ports of the MongoDB processes on a host in these inventory groups."""
    named = {"config": CONFIG_PORT, "mongos": MONGOS_PORT}
    shards = [shard_port(int(group[5:])) for group in groups if group[5:].isdecimal()]
    return [named[group] for group in groups if group in named] + shards


def plan(topology: str, *, shards: int, members: int, subnet: IPv4Network) -> list[Host]:
    """A topology's hosts; `members` is the size of each replica set. Raises ValueError for an unknown topology."""

    def host(name: str, last: int, *groups: str) -> Host:
        return Host(name, str(subnet.network_address + last), groups)

    names = [f"shard{number}" for number in range(1, shards + 1)]
    numbers = range(1, members + 1)
    match topology:
        case "compact":
            # Each has one member of every replica set, so any one can fail.
            data = [host(f"mongo-{i}", _MEMBERS_FROM + i, "config", *names) for i in numbers]
        case "dedicated":
            data = [host(f"config-{i}", _MEMBERS_FROM + i, "config") for i in numbers]
            for offset, name in enumerate(names):
                data += [host(f"{name}-{i}", _SHARDS_FROM + 10 * offset + i, name) for i in numbers]
        case _:
            raise ValueError(f"unknown topology {topology!r}, expected one of {', '.join(TOPOLOGIES)}")
    return [*data, host("router-1", _ROUTERS_FROM + 1, "mongos", "web")]

"""What a cluster needs to be reachable, written down once: who may open a connection to which port of which host.

A row for each source, a column for each kind of host, the TCP ports in the cells; what isn't there must be closed.
The tests compare it with the security groups that were applied, and with real connections.

- A member listens on 27019 for config and on 27018 or 27028 for the shards, and every router and mongod asks them all.
- 80 and 443 of a router (user app) are everybody's: the administrators' and the hosts' own, too.
- 22 (ssh), 8080 (admin app) and 27017 (mongos) are the administrators'.
"""

from __future__ import annotations

#: Sources besides the kinds of host: an address of `admin_cidrs`, and any other address of the world.
ADMIN, PUBLIC = "admin", "public"

_COMPACT = """
from \\ to  mongo              router
mongo       27018,27019,27028  80,443
router      27018,27019,27028  80,443
admin       22                 22,80,443,8080,27017
public      -                  80,443
"""

_DEDICATED = """
from \\ to  config  shard1  shard2  router
config      27019   27018   27028   80,443
shard1      27019   27018   27028   80,443
shard2      27019   27018   27028   80,443
router      27019   27018   27028   80,443
admin       22      22      22      22,80,443,8080,27017
public      -       -       -       80,443
"""

#: Where hosts of every kind get to outside the cluster: (protocol, port) by destination. Packages come over 80 and 443
#: from anywhere; names from the VPC's resolver (its third address); the time from Amazon's service.
_WEB = frozenset({("tcp", 80), ("tcp", 443)})
OUTSIDE = {
    "192.0.2.80": _WEB,
    "10.20.0.2": _WEB | {("tcp", 53), ("udp", 53)},
    "169.254.169.123": _WEB | {("udp", 123)},
}


def needed(topology: str) -> dict[tuple[str, str], frozenset[int]]:
    """The TCP ports by (source, kind of host) of a topology with two shards. Raises KeyError for an unknown one."""
    header, *rows = {"compact": _COMPACT, "dedicated": _DEDICATED}[topology].strip().splitlines()
    kinds = header.removeprefix("from \\ to").split()
    matrix = {}
    for row in rows:
        source, *cells = row.split()
        for kind, cell in zip(kinds, cells, strict=True):
            matrix[source, kind] = frozenset(map(int, cell.split(","))) if cell != "-" else frozenset()
    return matrix


def kind_of(host: str) -> str:
    """`mongo` of `mongo-1`, `shard1` of `shard1-3`."""
    return host.rpartition("-")[0]

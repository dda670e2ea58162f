"""Which connections a cluster needs: who may connect to which port of which host.

Rows are sources, columns are kinds of hosts, cells have the TCP ports; all others must be closed. The tests compare
this with the applied security groups, and with real connections.

- Members listen on 27019 (config) and on 27018 or 27028 (shards); all routers and mongods connect to them.
- 80 and 443 on a router (user app) are open to everybody, including administrators and hosts.
- 22 (ssh), 8443 (admin app) and 27017 (mongos) are open to administrators.
"""

from __future__ import annotations

#: Sources other than hosts: an address in `admin_cidrs`, and any other address.
ADMIN, PUBLIC = "admin", "public"

_COMPACT = """
from \\ to  mongo              router
mongo       27018,27019,27028  80,443
router      27018,27019,27028  80,443
admin       22                 22,80,443,8443,27017
public      -                  80,443
"""

_DEDICATED = """
from \\ to  config  shard1  shard2  router
config      27019   27018   27028   80,443
shard1      27019   27018   27028   80,443
shard2      27019   27018   27028   80,443
router      27019   27018   27028   80,443
admin       22      22      22      22,80,443,8443,27017
public      -       -       -       80,443
"""

#: What all hosts reach outside the cluster: (protocol, port) by destination. Packages come over 80 and 443 from
#: anywhere, names from the VPC's resolver (its third address), the time from Amazon's service.
_WEB = frozenset({("tcp", 80), ("tcp", 443)})
OUTSIDE = {
    "192.0.2.80": _WEB,
    "10.20.0.2": _WEB | {("tcp", 53), ("udp", 53)},
    "169.254.169.123": _WEB | {("udp", 123)},
}


def needed(topology: str) -> dict[tuple[str, str], frozenset[int]]:
    """TCP ports by (source, kind of host), for a topology with two shards. Raises KeyError for an unknown topology."""
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

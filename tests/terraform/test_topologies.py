"""Both topologies, applied: their hosts, and who reaches which ports.

Reachability must be exactly what a cluster needs (needed.py): nothing missing, nothing extra.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from typing import Any

import pytest

from ops.topology import plan
from tests.terraform.cluster import Cluster
from tests.terraform.needed import ADMIN, OUTSIDE, PUBLIC, kind_of, needed
from tests.terraform.reachability import Host, Open, Peer, between, entering, hosts, leaving

ADMIN_ADDRESS = "203.0.113.7"  # in VARIABLES' admin_cidrs
PUBLIC_ADDRESS = "203.0.113.16"  # the first address behind that network


@pytest.fixture(scope="module", params=["compact", "dedicated"])
def topology(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def cluster(topology: str, new_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = new_cluster(topology=topology)
    cluster.workspace.apply(cluster.variables)
    return cluster


@pytest.fixture
def applied(cluster: Cluster) -> Mapping[str, Host]:
    """The hosts as EC2 describes them."""
    return hosts(cluster.aws.client("ec2"))


def test_hosts_are_the_same_as_locally(topology: str, applied: Mapping[str, Host]) -> None:
    """The same names, groups, and last parts of addresses."""
    local = plan(topology, shards=2, members=3, subnet=IPv4Network("10.89.70.0/24"))
    assert {host.name: (host.groups, host.address.rpartition(".")[2]) for host in local} == {
        host.name: (host.groups, host.private.address.rpartition(".")[2]) for host in applied.values()
    }


def test_every_connection(topology: str, applied: Mapping[str, Host]) -> None:
    assert _differences(topology, _connections(applied)) == []


def test_changed_rules_would_be_found(topology: str, cluster: Cluster, applied: Mapping[str, Host]) -> None:
    """A rule too many and a rule too few; otherwise the previous test would prove nothing."""
    ec2, router = cluster.aws.client("ec2"), applied["router-1"]
    (opened,) = [group for group in router.private.groups if _name(ec2, group).endswith("-access")]
    rule = {"IpProtocol": "tcp", "FromPort": 27017, "ToPort": 27018, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=opened, IpPermissions=[rule])
    ec2.revoke_security_group_ingress(GroupId=opened, IpPermissions=[https])
    try:
        lines = _differences(topology, _connections(hosts(ec2)))
    finally:
        ec2.revoke_security_group_ingress(GroupId=opened, IpPermissions=[rule])
        ec2.authorize_security_group_ingress(GroupId=opened, IpPermissions=[https])
    assert [line for line in lines if line.startswith(("admin", "public"))] == [
        "admin must not reach router-1: ('tcp', 27018)",
        "admin needs router-1: ('tcp', 443)",
        "public must not reach router-1: ('tcp', 27017)",
        "public must not reach router-1: ('tcp', 27018)",
        "public needs router-1: ('tcp', 443)",
    ]


def _name(ec2: Any, group: str) -> str:
    return str(ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["GroupName"])


def _connections(applied: Mapping[str, Host]) -> dict[tuple[str, str], Open]:
    """Open ports by (source, host), for every other host, an administrator's address and any other address."""
    found = {
        (source.name, target.name): between(source, target)
        for source in applied.values()
        for target in applied.values()
        if source is not target
    }
    for name, target in applied.items():
        found[ADMIN, name] = entering(Peer(ADMIN_ADDRESS), target)
        found[PUBLIC, name] = entering(Peer(PUBLIC_ADDRESS), target)
    return found


def test_hosts_have_no_privileges_at_their_public_addresses(topology: str, applied: Mapping[str, Host]) -> None:
    open_ports = {
        (PUBLIC, target.name): entering(Peer(source.public_address), target)
        for source in applied.values()
        for target in applied.values()
    }
    assert _differences(topology, open_ports) == []


def test_hosts_reach_outside_only_what_they_need(applied: Mapping[str, Host]) -> None:
    for host in applied.values():
        assert {address: leaving(host, Peer(address)) for address in OUTSIDE} == OUTSIDE, host.name


def test_egress_is_as_narrow_as_ingress(topology: str, applied: Mapping[str, Host]) -> None:
    """Except for the web, which is open to the world."""
    web = frozenset({("tcp", 80), ("tcp", 443)})
    for source in applied.values():
        for target in applied.values():
            wanted = {("tcp", port) for port in needed(topology)[kind_of(source.name), kind_of(target.name)]}
            assert leaving(source, target.private) == wanted | web, (source.name, target.name)


def _differences(topology: str, open_ports: Mapping[tuple[str, str], Open]) -> list[str]:
    """A line for each connection that is open but shouldn't be, or the reverse."""
    table, lines = needed(topology), []
    for (source, target), actual in open_ports.items():
        kind = source if source in (ADMIN, PUBLIC) else kind_of(source)
        wanted = {("tcp", port) for port in table[kind, kind_of(target)]}
        lines += [f"{source} must not reach {target}: {extra}" for extra in sorted(actual - wanted)[:5]]
        lines += [f"{source} needs {target}: {missing}" for missing in sorted(wanted - actual)]
    return lines

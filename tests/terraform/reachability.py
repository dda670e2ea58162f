"""What an account's security groups let through, computed from what EC2 reports, not from what Terraform meant.

A connection between two hosts needs a rule of the one's egress and a rule of the other's ingress; one from outside
needs the ingress alone. A rule names networks, or groups: those match private addresses of instances that have them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

#: What a rule opens: (protocol, port). The protocol of a rule for everything that isn't TCP or UDP is "other".
Open = frozenset[tuple[str, int]]

_ALL_PORTS = range(65536)


@dataclass(frozen=True)
class Peer:
    """The other side of a connection: its address, and its groups when it is an instance seen at its private one."""

    address: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Host:
    """An instance: name, inventory groups, how others see it, and its security groups' rules as boto3 shows them."""

    name: str
    groups: tuple[str, ...]
    private: Peer
    public_address: str
    ingress: list[dict[str, Any]]
    egress: list[dict[str, Any]]


def hosts(ec2: Any) -> dict[str, Host]:
    """Every instance that isn't terminated, by its tag Name, of a boto3 client's account and region."""
    groups = {group["GroupId"]: group for group in ec2.describe_security_groups()["SecurityGroups"]}
    found = {}
    for reservation in ec2.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] == "terminated":
                continue
            tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
            own = [groups[group["GroupId"]] for group in instance["SecurityGroups"]]
            found[tags["Name"]] = Host(
                name=tags["Name"],
                groups=tuple(tags["Groups"].split(",")),
                private=Peer(instance["PrivateIpAddress"], frozenset(group["GroupId"] for group in own)),
                public_address=instance["PublicIpAddress"],
                ingress=[rule for group in own for rule in group["IpPermissions"]],
                egress=[rule for group in own for rule in group["IpPermissionsEgress"]],
            )
    return found


def between(source: Host, target: Host) -> Open:
    """What a host reaches of another (or of its like) at the private address."""
    return leaving(source, target.private) & entering(source.private, target)


def entering(peer: Peer, target: Host) -> Open:
    """What a host's own groups let in from a peer."""
    return _matching(target.ingress, peer)


def leaving(source: Host, peer: Peer) -> Open:
    """What a host's own groups let out to a peer."""
    return _matching(source.egress, peer)


def _matching(rules: Iterable[dict[str, Any]], peer: Peer) -> Open:
    return frozenset(opened for rule in rules if _names(rule, peer) for opened in _opened(rule))


def _names(rule: dict[str, Any], peer: Peer) -> bool:
    address = ip_address(peer.address)
    networks = [entry["CidrIp"] for entry in rule["IpRanges"]] + [entry["CidrIpv6"] for entry in rule["Ipv6Ranges"]]
    named = {pair["GroupId"] for pair in rule["UserIdGroupPairs"]}
    return any(address in ip_network(network) for network in networks) or bool(named & peer.groups)


def _opened(rule: dict[str, Any]) -> Iterable[tuple[str, int]]:
    protocol = rule["IpProtocol"]
    if protocol == "-1":
        return [("other", 0), *((name, port) for name in ("tcp", "udp") for port in _ALL_PORTS)]
    if protocol in {"tcp", "udp"}:
        return [(protocol, port) for port in range(rule["FromPort"], rule["ToPort"] + 1)]
    return [("other", 0)]

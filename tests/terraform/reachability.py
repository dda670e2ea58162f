"""Which connections an account's security groups allow, computed from EC2's state, not from Terraform's plan.

A connection between two hosts needs an egress rule on one and an ingress rule on the other; one from outside needs only
the ingress rule. Rules name networks or groups; groups match their instances' private addresses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

#: What a rule allows: (protocol, port). Protocols other than TCP and UDP are "other".
Open = frozenset[tuple[str, int]]

_ALL_PORTS = range(65536)


@dataclass(frozen=True)
class Peer:
    """The other end of a connection; has groups if it is an instance with its private address."""

    address: str
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Host:
    """An instance: name, inventory groups, addresses, and its security groups' rules in boto3's format."""

    name: str
    groups: tuple[str, ...]
    private: Peer
    public_address: str
    ingress: list[dict[str, Any]]
    egress: list[dict[str, Any]]


def hosts(ec2: Any) -> dict[str, Host]:
    """All instances by tag Name in a boto3 client's account and region, without terminated ones."""
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
    """What a host reaches on another host of any kind at its private address."""
    return leaving(source, target.private) & entering(source.private, target)


def entering(peer: Peer, target: Host) -> Open:
    """What a host's groups let in from a peer."""
    return _matching(target.ingress, peer)


def leaving(source: Host, peer: Peer) -> Open:
    """What a host's groups let out to a peer."""
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

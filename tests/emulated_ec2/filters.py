"""Security groups and public addresses as an nftables ruleset, for the namespace that routes between instances.

EC2 filters a packet at both ends. Egress rules see the destination as sent, before an Elastic IP is translated to a
private address; ingress rules see the source as received, after a private address was translated to an Elastic IP. So
rules that refer to a group match its members' private addresses, not their Elastic IPs.
"""

from __future__ import annotations

from tests.emulated_ec2.patches import PUBLIC_POOL
from tests.emulated_ec2.state import Instance, Rule, State

TABLE = "ip emulated-ec2"
#: Amazon's resolver, which has the same address in every VPC; security groups don't filter traffic to it.
RESOLVER = "169.254.169.253"
#: The interface to everything except instances.
OUTSIDE = "outside"


def interface(instance_id: str) -> str:
    """The name of the instance's interface on this side; at most 15 characters."""
    return f"i-{instance_id[-12:]}"


def ruleset(state: State, nameserver: str) -> str:
    """The whole table, replaced atomically; open connections stay open, as on EC2."""
    lines = [f"table {TABLE} {{}}", f"delete table {TABLE}", f"table {TABLE} {{"]
    for instance in state.instances:
        lines += _chain(f"from-{instance.id}", _outgoing(state, instance))
        lines += _chain(f"to-{instance.id}", _incoming(state, instance))
    # Priorities: mangle is before destination NAT, and 150 after source NAT (100).
    lines += _chain("sent", _sent(state), "filter hook prerouting priority mangle")
    lines += _chain("destinations", _destinations(state, nameserver), "nat hook prerouting priority dstnat")
    lines += _chain("sources", _sources(state), "nat hook postrouting priority srcnat")
    lines += _chain("received", _received(state), "filter hook postrouting priority 150")
    return "\n".join([*lines, "}"]) + "\n"


def _chain(name: str, rules: list[str], hook: str = "") -> list[str]:
    return [f"chain {name} {{", *([f"type {hook};"] if hook else []), *rules, "}"]


def _outgoing(state: State, instance: Instance) -> list[str]:
    rules = [rule for group in instance.groups for rule in state.groups[group].egress]
    return [
        f"ip saddr != {instance.private_address} drop",  # EC2's source/destination check
        "ct state established,related accept",
        f"ip daddr {RESOLVER} accept",
        *[match for rule in rules for match in _accept(state, rule, "daddr")],
        "drop",
    ]


def _incoming(state: State, instance: Instance) -> list[str]:
    if instance.state == "stopped":
        return ["drop"]  # otherwise its network namespace would respond
    rules = [rule for group in instance.groups for rule in state.groups[group].ingress]
    return [
        "ct state established,related accept",
        *[match for rule in rules for match in _accept(state, rule, "saddr")],
        "drop",
    ]


def _accept(state: State, rule: Rule, side: str) -> list[str]:
    addresses = [*rule.networks, *(member for group in rule.groups for member in state.members(group))]
    return [f"ip {side} {address} {_traffic(rule)} accept" for address in addresses]


def _traffic(rule: Rule) -> str:
    if rule.protocol == "-1":
        return ""
    if rule.ports is None or rule.ports[0] == -1:
        return f"ip protocol {rule.protocol}"
    first, last = rule.ports
    if rule.protocol == "icmp":
        return f"icmp type {first}" + ("" if last == -1 else f" icmp code {last}")
    return f"{rule.protocol} dport {first}-{last}"


def _sent(state: State) -> list[str]:
    jumps = [f'iifname "{interface(i.id)}" goto from-{i.id}' for i in state.instances]
    return [*jumps, f'iifname != "{OUTSIDE}" drop']


def _received(state: State) -> list[str]:
    # Sources have been translated to public addresses, unless the instance has none and can't use the internet gateway.
    elsewhere = [f'oifname "{OUTSIDE}"', f"ct direction original ct original ip daddr {PUBLIC_POOL}"]
    private = [f"{to} ip saddr {i.private_address} drop" for i in state.instances for to in elsewhere]
    return [*private, *[f'oifname "{interface(i.id)}" goto to-{i.id}' for i in state.instances]]


def _destinations(state: State, nameserver: str) -> list[str]:
    return [
        *[f"ip daddr {i.public_address} dnat to {i.private_address}" for i in state.instances if i.public_address],
        f"ip daddr {RESOLVER} meta l4proto {{ tcp, udp }} th dport 53 dnat to {nameserver}",
    ]


def _sources(state: State) -> list[str]:
    """Packets to the outside or to an Elastic IP have the sender's public address as source."""
    public = [i for i in state.instances if i.public_address]
    return [
        f'oifname "{OUTSIDE}" ct original ip daddr {RESOLVER} masquerade',
        *[f'oifname "{OUTSIDE}" ip saddr {i.private_address} snat to {i.public_address}' for i in public],
        *[
            f"ct original ip daddr {PUBLIC_POOL} ip saddr {i.private_address} snat to {i.public_address}"
            for i in public
        ],
    ]

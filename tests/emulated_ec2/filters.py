"""Security groups and public addresses as a ruleset of nftables, for the namespace that routes between instances.

EC2 judges a packet at both ends. What an instance sends is judged by the destination that it wrote, before an Elastic
IP becomes a private address; what reaches an instance by the source that arrives, after a private address became an
Elastic IP. So a rule that names a group matches its members' private addresses, and not their Elastic IPs.
"""

from __future__ import annotations

from tests.emulated_ec2.patches import PUBLIC_POOL
from tests.emulated_ec2.state import Instance, Rule, State

TABLE = "ip emulated-ec2"
#: Amazon's resolver, at the same address in every VPC; security groups don't filter what goes there.
RESOLVER = "169.254.169.253"
#: The interface towards everything that is no instance.
OUTSIDE = "outside"


def interface(instance_id: str) -> str:
    """The name of the instance's interface on this side: 15 characters at most."""
    return f"i-{instance_id[-12:]}"


def ruleset(state: State, nameserver: str) -> str:
    """The whole table, replacing what there was in one step; connections that are open stay so, as on EC2."""
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
        f"ip saddr != {instance.private_address} drop",  # EC2's check of source and destination
        "ct state established,related accept",
        f"ip daddr {RESOLVER} accept",
        *[match for rule in rules for match in _accept(state, rule, "daddr")],
        "drop",
    ]


def _incoming(state: State, instance: Instance) -> list[str]:
    if instance.state == "stopped":
        return ["drop"]  # nobody is there; without this its network namespace would answer
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
    # Sources are public by now; one that isn't belongs to an instance that the internet gateway doesn't serve.
    elsewhere = [f'oifname "{OUTSIDE}"', f"ct direction original ct original ip daddr {PUBLIC_POOL}"]
    private = [f"{to} ip saddr {i.private_address} drop" for i in state.instances for to in elsewhere]
    return [*private, *[f'oifname "{interface(i.id)}" goto to-{i.id}' for i in state.instances]]


def _destinations(state: State, nameserver: str) -> list[str]:
    return [
        *[f"ip daddr {i.public_address} dnat to {i.private_address}" for i in state.instances if i.public_address],
        f"ip daddr {RESOLVER} meta l4proto {{ tcp, udp }} th dport 53 dnat to {nameserver}",
    ]


def _sources(state: State) -> list[str]:
    """Who goes out, or to an Elastic IP, goes by its own public address."""
    public = [i for i in state.instances if i.public_address]
    return [
        f'oifname "{OUTSIDE}" ct original ip daddr {RESOLVER} masquerade',
        *[f'oifname "{OUTSIDE}" ip saddr {i.private_address} snat to {i.public_address}' for i in public],
        *[
            f"ct original ip daddr {PUBLIC_POOL} ip saddr {i.private_address} snat to {i.public_address}"
            for i in public
        ],
    ]

"""Faults for drills on local hosts: power loss, hung machines, network partitions."""

from __future__ import annotations

from ops import podman
from ops.containers import container_name
from ops.topology import Host

# A separate table, so that healing removes only these rules.
_TABLE = "inet film_library_fault"
_EMPTY = f"""
table {_TABLE} {{}}
delete table {_TABLE}
table {_TABLE} {{
  chain incoming {{ type filter hook input priority -10; }}
  chain outgoing {{ type filter hook output priority -10; }}
}}
"""


def power_off(env: str, host: Host) -> None:
    """Cuts the power: all processes die at once, nothing is flushed."""
    name = container_name(env, host.name)
    podman.run("kill", "--signal", "KILL", name)
    podman.run("wait", name)


def boot(env: str, host: Host) -> None:
    """Switches a host on; returns before it has booted."""
    podman.run("start", container_name(env, host.name))


def freeze(env: str, host: Host) -> None:
    """Freezes all processes; the kernel still accepts connections, which nobody answers."""
    podman.run("pause", container_name(env, host.name))


def thaw(env: str, host: Host) -> None:
    """Resumes a frozen host."""
    podman.run("unpause", container_name(env, host.name))


def partition(env: str, host: Host, peers: list[Host]) -> None:
    """Silently drops all packets between the host and its peers; replaces an earlier partition."""
    rules = [f"add rule {_TABLE} incoming ip saddr {peer.address} drop" for peer in peers]
    rules += [f"add rule {_TABLE} outgoing ip daddr {peer.address} drop" for peer in peers]
    _nft(env, host, _EMPTY + "\n".join(rules) + "\n")


def heal(env: str, host: Host) -> None:
    """Ends the host's partition, if there is one."""
    _nft(env, host, f"table {_TABLE} {{}}\ndelete table {_TABLE}\n")


def _nft(env: str, host: Host, script: str) -> None:
    podman.run("exec", "--interactive", container_name(env, host.name), "nft", "--file", "-", stdin=script)

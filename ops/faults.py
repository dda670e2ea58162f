"""Faults for drills on local hosts: what a power cut, a hung machine or a broken switch does to a cluster."""

from __future__ import annotations

from ops import podman
from ops.containers import container_name
from ops.topology import Host

# A table of its own, so that healing removes these rules and no others.
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
    """Cuts the power: every process dies at once, nothing is flushed or said goodbye to."""
    name = container_name(env, host.name)
    podman.run("kill", "--signal", "KILL", name)
    podman.run("wait", name)


def boot(env: str, host: Host) -> None:
    """Switches a host on again; returns before it has booted."""
    podman.run("start", container_name(env, host.name))


def freeze(env: str, host: Host) -> None:
    """Stops every process where it is; the kernel still accepts connections that nobody answers."""
    podman.run("pause", container_name(env, host.name))


def thaw(env: str, host: Host) -> None:
    """Lets a frozen host go on."""
    podman.run("unpause", container_name(env, host.name))


def partition(env: str, host: Host, peers: list[Host]) -> None:
    """Drops every packet between the host and its peers, without a word to either; replaces an earlier partition."""
    rules = [f"add rule {_TABLE} incoming ip saddr {peer.address} drop" for peer in peers]
    rules += [f"add rule {_TABLE} outgoing ip daddr {peer.address} drop" for peer in peers]
    _nft(env, host, _EMPTY + "\n".join(rules) + "\n")


def heal(env: str, host: Host) -> None:
    """Ends the host's partition; does nothing when there is none."""
    _nft(env, host, f"table {_TABLE} {{}}\ndelete table {_TABLE}\n")


def _nft(env: str, host: Host, script: str) -> None:
    podman.run("exec", "--interactive", container_name(env, host.name), "nft", "--file", "-", stdin=script)

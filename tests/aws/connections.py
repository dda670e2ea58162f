"""Real attempts to connect: what the emulated network lets through, whoever listens there."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.aws.production import Production

#: Every port that anything of the cluster has, and one that nothing has.
PORTS = (22, 80, 443, 8080, 27017, 27018, 27019, 27028, 28017)
_SECONDS = 2.0  # an answer takes milliseconds; a packet that is dropped has none

# Runs on a host: Python is there, for Ansible.
_ATTEMPTS = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def passes(target):
    try:
        socket.create_connection(target, timeout={seconds}).close()
    except ConnectionRefusedError:
        return True  # from the other host itself
    except OSError:
        return False
    return True

targets = {targets}
with ThreadPoolExecutor(64) as pool:
    print(json.dumps(list(pool.map(passes, targets))))
"""


def from_here(source: str, addresses: Iterable[str]) -> dict[str, frozenset[int]]:
    """The ports among PORTS that an address of this machine gets through to, by target address."""
    targets = [(address, port) for address in addresses for port in PORTS]
    with ThreadPoolExecutor(64) as pool:
        passed = list(pool.map(lambda target: _passes(source, target), targets))
    return _by_address(targets, passed)


def from_host(production: Production, name: str, addresses: Iterable[str]) -> dict[str, frozenset[int]]:
    """The same from one of the cluster's hosts."""
    targets = [(address, port) for address in addresses for port in PORTS]
    script = _ATTEMPTS.format(seconds=_SECONDS, targets=targets)
    return _by_address(targets, json.loads(production.ssh(name, "python3", "-", stdin=script)))


def _passes(source: str, target: tuple[str, int]) -> bool:
    try:
        socket.create_connection(target, timeout=_SECONDS, source_address=(source, 0)).close()
    except ConnectionRefusedError:
        return True  # from the host itself: nobody listens, but the packet came there
    except OSError:
        return False
    return True


def _by_address(targets: list[tuple[str, int]], passed: list[bool]) -> dict[str, frozenset[int]]:
    through = {target for target, good in zip(targets, passed, strict=True) if good}
    return {address: frozenset(port for port in PORTS if (address, port) in through) for address, _ in targets}

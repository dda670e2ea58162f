"""Attempts to connect: what the emulated network lets through, whether or not something is listening."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests import attempts
from tests.aws.production import Production

#: All the cluster's ports, and an unused one.
PORTS = (22, 80, 443, 8443, 27017, 27018, 27019, 27028, 28017)


def from_here(source: str, addresses: Iterable[str]) -> dict[str, frozenset[int]]:
    """The ports in PORTS that one of this machine's addresses reaches, by target address."""
    targets = [(address, port) for address in addresses for port in PORTS]
    with ThreadPoolExecutor(64) as pool:
        passed = list(pool.map(lambda target: attempts.passes(target, source), targets))
    return _by_address(targets, passed)


def from_host(production: Production, name: str, addresses: Iterable[str]) -> dict[str, frozenset[int]]:
    """The same from one of the cluster's hosts."""
    targets = [(address, port) for address in addresses for port in PORTS]
    return _by_address(targets, json.loads(production.ssh(name, "python3", "-", stdin=attempts.script(targets))))


def _by_address(targets: list[tuple[str, int]], passed: list[bool]) -> dict[str, frozenset[int]]:
    through = {target for target, good in zip(targets, passed, strict=True) if good}
    return {address: frozenset(port for port in PORTS if (address, port) in through) for address, _ in targets}

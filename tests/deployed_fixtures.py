"""Fixtures and parameters for tests of a deployed cluster; each conftest.py imports them by name.

A test with the argument `machine` runs once per host; likewise `process` (MongoDB processes), `member` (replica set
members), `router`, `replica_set` (names), `shard` (names) and `web` (hosts with the apps).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from tests.deployed import Deployment, Inventory, connect

PARAMETERS: dict[str, Callable[[Inventory], Sequence[Any]]] = {
    "machine": lambda inventory: inventory.group("all"),
    "process": lambda inventory: inventory.processes,
    "member": lambda inventory: inventory.members,
    "router": lambda inventory: inventory.routers,
    "replica_set": lambda inventory: list(inventory.replica_sets),
    "shard": lambda inventory: inventory.shards,
    "web": lambda inventory: inventory.group("web"),
}


@functools.cache
def _inventory() -> Inventory:
    try:
        return Inventory.read()
    except FileNotFoundError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for name, values in PARAMETERS.items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, values(_inventory()), ids=str, scope="session")


@pytest.fixture(scope="session")
def inventory() -> Inventory:
    """The inventory under test."""
    return _inventory()


@pytest.fixture(scope="session")
def deployment(inventory: Inventory) -> Iterator[Deployment]:
    """Connections to every host."""
    with connect(inventory) as deployment:
        yield deployment

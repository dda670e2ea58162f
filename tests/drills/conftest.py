"""Drills on Molecule's cluster, run in the order of their names: each damages it and waits until it has recovered."""

from __future__ import annotations

import pytest

from tests.deployed import Inventory, connect
from tests.deployed_fixtures import deployment, inventory

__all__ = ["deployment", "inventory"]


@pytest.fixture(scope="module", autouse=True)
def nobody_tried_before(inventory: Inventory) -> None:
    """All visitors come from this machine's address, which gets so many attempts an hour."""
    with connect(inventory) as deployment:
        library = deployment.client(inventory.routers[0], "cluster-admin")["movie_library"]
        for name in ("rate_limit_counters", "admin_rate_limit_counters"):
            library[name].delete_many({})

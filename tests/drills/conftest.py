"""Drills on Molecule's cluster, run in the order of their names: each damages it and waits until it has recovered."""

from __future__ import annotations

from tests.deployed_fixtures import deployment, inventory

__all__ = ["deployment", "inventory"]

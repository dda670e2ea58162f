"""Drills on Molecule's cluster: each hurts it and waits until it is healthy again. They run in the order of their names."""

from __future__ import annotations

from tests.deployed_fixtures import deployment, inventory

__all__ = ["deployment", "inventory"]

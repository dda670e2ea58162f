"""Tests of a cluster that `make cluster-up` built and loaded."""

from tests.deployed_fixtures import deployment, inventory, pytest_generate_tests

__all__ = ["deployment", "inventory", "pytest_generate_tests"]

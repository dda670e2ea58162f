"""Tests of what the roles leave on the hosts. `host/` needs single hosts only, `cluster/` all of site.yml."""

from tests.deployed_fixtures import deployment, inventory, pytest_generate_tests

__all__ = ["deployment", "inventory", "pytest_generate_tests"]

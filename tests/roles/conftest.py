"""Tests of hosts after the roles have run. `host/` needs single hosts only, `cluster/` all of site.yml."""

from tests.deployed_fixtures import deployment, inventory, pytest_generate_tests

__all__ = ["deployment", "inventory", "pytest_generate_tests"]

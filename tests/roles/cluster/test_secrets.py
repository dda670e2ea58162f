"""No secret is where others could read it, neither on the hosts nor in what the run left on this machine."""

from __future__ import annotations

from functools import partial

import pytest

from ops.paths import ROOT
from tests import secret_search
from tests.deployed import Deployment, Inventory


@pytest.fixture(scope="session")
def needles(inventory: Inventory) -> secret_search.Needles:
    return secret_search.needles(inventory.secrets)


def test_no_secret_can_be_read_on_a_host(deployment: Deployment, needles: secret_search.Needles, machine: str) -> None:
    """Files that everybody may read, logs, the journal, command lines and environments."""
    assert secret_search.on_host(needles, partial(deployment.run_with_input, machine)) == []


def test_the_search_on_a_host_finds_something(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    public = {inventory.address(machine): "address"}  # /etc/hosts has it
    assert "/etc/hosts: address" in secret_search.on_host(public, partial(deployment.run_with_input, machine))


def test_the_run_leaves_no_secret(inventory: Inventory, needles: secret_search.Needles) -> None:
    """In logs, generated files, Ansible's own directory and the repository."""
    assert secret_search.search_clone(needles, ROOT, inventory.secrets.name) == []

"""Scanners find no open port but those of the matrix, and nothing serious without a reason in scanners.yml."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import yaml
from test_firewall import outside

from ops.certificates import CA_FILE
from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests import scanners
from tests.deployed import Deployment, Inventory

WAIVERS = yaml.safe_load(Path(__file__).with_name("scanners.yml").read_text())


@pytest.mark.thorough
def test_nmap_finds_the_ports_of_the_matrix(inventory: Inventory) -> None:
    """Of all TCP ports, from an administrator's network."""
    wanted = {inventory.address(name): outside(inventory, name) for name in inventory.group("all")}
    assert scanners.open_ports(wanted) == wanted


@pytest.mark.parametrize("port", [USER_APP_PORT, pytest.param(ADMIN_APP_PORT, marks=pytest.mark.thorough)])
def test_testssl_finds_nothing_serious(inventory: Inventory, web: str, port: int) -> None:
    found = scanners.tls_findings(inventory.address(web), port, inventory.secrets / CA_FILE)
    assert {name: text for name, text in found.items() if name not in WAIVERS["testssl"]} == {}
    assert WAIVERS["testssl"].keys() <= found.keys(), "a waiver isn't needed any more"


@pytest.mark.thorough
@pytest.mark.parametrize("group", ["mongos", "config"])
def test_lynis_warns_of_nothing_serious(deployment: Deployment, inventory: Inventory, group: str) -> None:
    """On one host of each kind."""
    machine = inventory.group(group)[0]
    found = scanners.lynis_warnings(partial(deployment.run_with_input, machine))
    assert {name: text for name, text in found.items() if name not in WAIVERS["lynis"]} == {}

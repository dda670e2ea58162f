"""Role `firewall`: every connection between hosts, from outside and by the apps' users, is tried."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from testinfra.host import Host

from ops.topology import ADMIN_APP_PORT, MONGOS_PORT, REDIRECT_PORT, USER_APP_PORT
from tests import attempts
from tests.deployed import Deployment, Inventory

SSH, UNUSED = 22, 28999
RULES = "nft --stateless list table inet film_library"


def ports(inventory: Inventory) -> list[int]:
    members = {member.port for member in inventory.members}
    return sorted(members | {SSH, REDIRECT_PORT, USER_APP_PORT, ADMIN_APP_PORT, MONGOS_PORT, UNUSED})


def passed(host: Host, targets: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """The targets that the host's connections reach, whether or not something listens there."""
    answer = host.check_output("python3 -c %s", attempts.script(targets))
    return {target for target, good in zip(targets, json.loads(answer), strict=True) if good}


def members_of(inventory: Inventory, machine: str) -> set[int]:
    return {member.port for member in inventory.members if member.host == machine}


def outside(inventory: Inventory, machine: str) -> set[int]:
    """What this machine, which is the administrator's, may reach."""
    router = {MONGOS_PORT, ADMIN_APP_PORT, USER_APP_PORT, REDIRECT_PORT}
    return {SSH} | (router if machine in inventory.group("mongos") else set())


def test_hosts_reach_each_others_members_and_nothing_else(
    deployment: Deployment, inventory: Inventory, machine: str
) -> None:
    others = [name for name in inventory.group("all") if name != machine]
    targets = [(inventory.address(name), port) for name in others for port in ports(inventory)]
    wanted = {(inventory.address(name), port) for name in others for port in members_of(inventory, name)}
    assert passed(deployment.host(machine), targets) == wanted


def test_from_outside_ssh_the_router_and_the_apps_are_reached(inventory: Inventory, machine: str) -> None:
    targets = [(inventory.address(machine), port) for port in ports(inventory)]
    with ThreadPoolExecutor(16) as pool:
        open_ports = {port for (_, port), good in zip(targets, pool.map(attempts.passes, targets), strict=True) if good}
    assert open_ports == outside(inventory, machine)


def reached_by(host: Host, user: str, targets: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """The targets that a user of the host reaches. They must listen: a rejected packet looks like a closed port."""
    answer = host.check_output("runuser -u %s -- python3 -c %s", user, attempts.script(targets, refused=False))
    return {target for target, good in zip(targets, json.loads(answer), strict=True) if good}


@pytest.mark.parametrize("app", ["user", "admin", "deploy", "backup"])
def test_an_apps_user_reaches_the_router_and_the_admin_app_members(
    deployment: Deployment, inventory: Inventory, web: str, app: str
) -> None:
    """The admin app shows the members' state."""
    router = {("127.0.0.1", MONGOS_PORT)}
    others = {("127.0.0.1", port) for port in (SSH, USER_APP_PORT, ADMIN_APP_PORT)}
    members = {(inventory.address(member.host), member.port) for member in inventory.members}
    targets = sorted(router | others | members)
    wanted = router | (members if app == "admin" else set())
    assert reached_by(deployment.host(web), f"film-library-{app}", targets) == wanted


def test_the_databases_user_reaches_members_only(deployment: Deployment, inventory: Inventory, machine: str) -> None:
    members = {(inventory.address(member.host), member.port) for member in inventory.members}
    others = {(inventory.address(host), SSH) for host in [machine]} | {("127.0.0.1", SSH)}
    assert reached_by(deployment.host(machine), "mongodb", sorted(members | others)) == members


def test_the_rules_are_loaded_at_boot(deployment: Deployment, machine: str) -> None:
    host = deployment.host(machine)
    assert host.service("film-library-firewall").is_enabled
    assert host.service("film-library-firewall").is_running
    at_boot = host.check_output("unshare --net sh -c %s", f"nft --file /etc/film-library-firewall/boot.nft && {RULES}")
    assert host.check_output(RULES) == at_boot

"""Role `replica_set`: every set is healthy, matches the inventory, and is reachable by name."""

from __future__ import annotations

from collections import Counter

from tests.deployed import Deployment, Inventory


def test_set_has_one_primary_and_healthy_secondaries(
    deployment: Deployment, inventory: Inventory, replica_set: str
) -> None:
    first = inventory.replica_sets[replica_set][0]
    status = deployment.client(first, first.administrator).admin.command("replSetGetStatus")
    assert status["set"] == replica_set
    states = Counter(member["stateStr"] for member in status["members"])
    assert states == {"PRIMARY": 1, "SECONDARY": len(inventory.replica_sets[replica_set]) - 1}
    assert {member["health"] for member in status["members"]} == {1.0}


def test_members_match_the_inventory_by_name(deployment: Deployment, inventory: Inventory, replica_set: str) -> None:
    members = inventory.replica_sets[replica_set]
    config = deployment.client(members[0], members[0].administrator).admin.command("replSetGetConfig")["config"]
    assert {member["host"] for member in config["members"]} == {f"{member.host}:{member.port}" for member in members}


def test_primaries_are_spread_over_the_hosts(deployment: Deployment, inventory: Inventory) -> None:
    """If hosts have members of several sets, no host has all primaries."""
    primaries = {
        name: deployment.client(members[0]).admin.command("hello")["primary"].split(":")[0]
        for name, members in inventory.replica_sets.items()
    }
    hosts = {member.host for member in inventory.members}
    assert len(set(primaries.values())) >= min(2, len(hosts)), primaries


def test_elections_do_not_wait_for_lost_members(deployment: Deployment, inventory: Inventory, replica_set: str) -> None:
    first = inventory.replica_sets[replica_set][0]
    config = deployment.client(first, first.administrator).admin.command("replSetGetConfig")["config"]
    assert config["settings"]["catchUpTimeoutMillis"] == 2000
    assert not config["settings"]["chainingAllowed"]

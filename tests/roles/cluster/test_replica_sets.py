"""Role `replica_set`: every set is whole, as the inventory says, and reachable by name."""

from __future__ import annotations

from collections import Counter

import pytest
from pymongo.errors import OperationFailure

from tests.deployed import Deployment, Inventory, Process

UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18


def administrator(process: Process) -> str:
    """Who may look into the process: a shard has an administrator of its own."""
    return "shard-admin" if process.name.startswith("shard") else "cluster-admin"


def test_set_has_one_primary_and_healthy_secondaries(
    deployment: Deployment, inventory: Inventory, replica_set: str
) -> None:
    first = inventory.replica_sets[replica_set][0]
    status = deployment.client(first, administrator(first)).admin.command("replSetGetStatus")
    assert status["set"] == replica_set
    states = Counter(member["stateStr"] for member in status["members"])
    assert states == {"PRIMARY": 1, "SECONDARY": len(inventory.replica_sets[replica_set]) - 1}
    assert {member["health"] for member in status["members"]} == {1.0}


def test_members_are_those_of_the_inventory_by_name(
    deployment: Deployment, inventory: Inventory, replica_set: str
) -> None:
    members = inventory.replica_sets[replica_set]
    config = deployment.client(members[0], administrator(members[0])).admin.command("replSetGetConfig")["config"]
    assert {member["host"] for member in config["members"]} == {f"{member.host}:{member.port}" for member in members}


def test_primaries_are_spread_over_the_hosts(deployment: Deployment, inventory: Inventory) -> None:
    """Where a host carries several sets, one of them is not the primary of all."""
    primaries = {
        name: deployment.client(members[0]).admin.command("hello")["primary"].split(":")[0]
        for name, members in inventory.replica_sets.items()
    }
    hosts = {member.host for member in inventory.members}
    assert len(set(primaries.values())) >= min(2, len(hosts)), primaries


def test_localhost_exception_is_closed(deployment: Deployment, process: Process) -> None:
    """Somebody on the host itself can't make a first user, on any shard either.

    The role doesn't exist, so that where the door is open the answer is another error, and nobody gets in.
    """
    probe = {"createUser": "probe", "pwd": "probe", "roles": [{"role": "there-is-no-such-role", "db": "admin"}]}
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process).admin.command(probe)
    assert refused.value.code == UNAUTHORIZED


def test_a_wrong_password_is_refused(deployment: Deployment, process: Process) -> None:
    client = deployment.new_client(process, administrator(process), "not the password")
    with client, pytest.raises(OperationFailure) as refused:
        client.admin.command("ping")
    assert refused.value.code == AUTHENTICATION_FAILED

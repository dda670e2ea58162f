"""Nobody gets in without a password, on any process, also not from the host it runs on."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure

from tests.deployed import Deployment, Process

UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18


@pytest.mark.parametrize("command", ["listDatabases", "replSetGetStatus", "usersInfo"])
def test_administration_is_refused_without_a_password(deployment: Deployment, process: Process, command: str) -> None:
    """A member that has no users yet would answer some of these to its own host."""
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process).admin.command(command)
    assert refused.value.code == UNAUTHORIZED


def test_localhost_exception_is_closed(deployment: Deployment, process: Process) -> None:
    """Somebody on the host itself can't make a first user, on any shard either.

    The role doesn't exist, so that where the door is open the answer is another error, and nobody gets in.
    """
    probe = {"createUser": "probe", "pwd": "probe", "roles": [{"role": "there-is-no-such-role", "db": "admin"}]}
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process).admin.command(probe)
    assert refused.value.code == UNAUTHORIZED


def test_a_wrong_password_is_refused(deployment: Deployment, process: Process) -> None:
    client = deployment.new_client(process, process.administrator, "not the password")
    with client, pytest.raises(OperationFailure) as refused:
        client.admin.command("ping")
    assert refused.value.code == AUTHENTICATION_FAILED


def test_the_monitor_may_look_at_every_process_and_read_no_film(deployment: Deployment, process: Process) -> None:
    """Also at a shard's member, which knows the users of its shard only."""
    monitor = deployment.client(process, "monitor")
    assert monitor.admin.command("serverStatus")["connections"]["current"] > 0
    with pytest.raises(OperationFailure) as refused:
        monitor["movie_library"]["movies"].find_one()
    assert refused.value.code == UNAUTHORIZED

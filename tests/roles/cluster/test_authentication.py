"""No process accepts anyone without a password, not even from its own host."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure

from tests.deployed import Deployment, Process

UNAUTHORIZED = 13
AUTHENTICATION_FAILED = 18


@pytest.mark.parametrize("command", ["listDatabases", "replSetGetStatus", "usersInfo"])
def test_administration_is_refused_without_a_password(deployment: Deployment, process: Process, command: str) -> None:
    """A member without users would answer some of these on its own host."""
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process).admin.command(command)
    assert refused.value.code == UNAUTHORIZED


def test_localhost_exception_is_closed(deployment: Deployment, process: Process) -> None:
    """Nobody on a host can create a first user, on any shard.

    The role doesn't exist, so if the exception is open, the command fails with another error and creates no user.
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


def test_monitor_can_read_the_status_of_every_process(deployment: Deployment, process: Process) -> None:
    """Including a shard's members, which know only the shard's users."""
    monitor = deployment.client(process, "monitor")
    assert monitor.admin.command("serverStatus")["connections"]["current"] > 0


# Log-in keys and password hashes are in all of these; the oplog has everything that is written.
@pytest.mark.parametrize(
    "namespace", ["local.oplog.rs", "admin.system.users", "config.system.sessions", "movie_library.users"]
)
def test_monitor_can_read_nothing_that_helps_to_log_in(
    deployment: Deployment, process: Process, namespace: str
) -> None:
    database, _, collection = namespace.partition(".")
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process, "monitor")[database][collection].find_one()
    assert refused.value.code == UNAUTHORIZED

"""Roles `mongod` and `mongos`: every process runs hardened on its own port, and requires a password."""

from __future__ import annotations

import pytest
from pymongo.errors import OperationFailure

from tests.deployed import Deployment, Inventory, Process
from tests.units import exposure, properties

UNAUTHORIZED = 13
HARDENING = {
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectControlGroups": "yes",
    "RestrictSUIDSGID": "yes",
    "CapabilityBoundingSet": "",
    "Restart": "on-failure",
    "User": "mongodb",
    # MongoDB's recommended limits (manual, "UNIX ulimit settings"). A container's actual limits may be lower.
    "LimitNOFILE": "64000",
    "LimitNPROC": "64000",
    "LimitMEMLOCK": "infinity",
}


def test_runs_and_starts_at_boot(deployment: Deployment, process: Process) -> None:
    service = deployment.host(process.host).service(process.unit)
    assert service.is_running, deployment.logs(process)
    assert service.is_enabled


def test_unit_is_hardened(deployment: Deployment, process: Process) -> None:
    host = deployment.host(process.host)
    shown = properties(host, process.unit)
    assert {name: shown[name] for name in HARDENING} == HARDENING
    assert exposure(host, process.unit) <= 2


def test_hardening_is_in_force(deployment: Deployment, process: Process) -> None:
    """In the running process, because systemd silently skips hardening that the machine doesn't support."""
    host = deployment.host(process.host)
    pid = properties(host, process.unit)["MainPID"]
    status = dict(line.split(":\t", 1) for line in host.file(f"/proc/{pid}/status").content_string.splitlines())
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapBnd"], 16) == 0
    assert status["Seccomp"] == "2", "system calls aren't filtered"
    root = next(
        line.split()[5]
        for line in host.file(f"/proc/{pid}/mountinfo").content_string.splitlines()
        if line.split()[4] == "/"
    )
    assert "ro" in root.split(",")


def test_listens_on_loopback_and_its_own_address_only(
    deployment: Deployment, inventory: Inventory, process: Process
) -> None:
    pid = properties(deployment.host(process.host), process.unit)["MainPID"]
    sockets = deployment.host(process.host).check_output("ss --no-header --listening --tcp --numeric --processes")
    listening = {line.split()[3] for line in sockets.splitlines() if f"pid={pid}," in line}
    assert listening == {f"127.0.0.1:{process.port}", f"{inventory.address(process.host)}:{process.port}"}, (
        f"{process} has pid {pid}\n{sockets}\n{deployment.logs(process)}"
    )


def test_nothing_but_ssh_and_nginx_listens_on_every_address(deployment: Deployment, machine: str) -> None:
    sockets = deployment.host(machine).check_output("ss --no-header --listening --tcp --udp --numeric --processes")
    everywhere = [line for line in sockets.splitlines() if line.split()[4].startswith(("0.0.0.0:", "*:", "[::]:"))]
    assert [line for line in everywhere if '"sshd"' not in line and '"nginx"' not in line] == []
    assert everywhere, "not even sshd: this test looks at the wrong place"


def test_the_packages_own_unit_is_off(deployment: Deployment, member: Process) -> None:
    """It would run a mongod without authentication."""
    service = deployment.host(member.host).service("mongod.service")
    assert not service.is_running
    assert not service.is_enabled


def test_data_and_logs_are_the_database_users_alone(deployment: Deployment, member: Process) -> None:
    host = deployment.host(member.host)
    data = host.file(f"/var/lib/mongodb/{member.name}")
    assert (data.user, data.mode) == ("mongodb", 0o700)
    logs = host.file("/var/log/mongodb")
    assert (logs.user, logs.mode & 0o007) == ("mongodb", 0)


def test_logs_are_rotated(deployment: Deployment, process: Process) -> None:
    name = "mongos" if process.name == "mongos" else "mongod"
    dry_run = deployment.host(process.host).run("logrotate --debug /etc/logrotate.d/%s", name)
    assert dry_run.rc == 0
    assert "error" not in dry_run.stderr.lower(), dry_run.stderr


@pytest.mark.parametrize(
    "command",
    [
        {"serverStatus": 1},
        {"find": "movies", "$db": "movie_library"},
        {"insert": "probe", "documents": [{"_id": 1}]},
        {"getParameter": "*"},
    ],
    ids=lambda command: next(iter(command)),
)
def test_commands_need_a_password(deployment: Deployment, process: Process, command: dict[str, object]) -> None:
    database = str(command.get("$db", "admin"))
    with pytest.raises(OperationFailure) as refused:
        deployment.client(process)[database].command({key: value for key, value in command.items() if key != "$db"})
    assert refused.value.code == UNAUTHORIZED

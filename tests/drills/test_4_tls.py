"""A cluster of an older version comes to TLS and to narrow rights, certificates are renewed, and nobody notices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import PyMongoError

from ops.topology import ADMIN_APP_PORT, USER_APP_PORT
from tests.deployed import Client, Deployment, Inventory, Process, connect
from tests.drills.environment import start_ops
from tests.drills.test_1_power_loss import wait_for
from tests.drills.visitor import visitor
from tests.drills.writer import Writer
from tests.units import properties

USER_APPS_ROLE = "filmLibraryUser"
PATIENCE = 600  # seconds for a run of ops

#: What an older version of this project wrote: configurations and settings without TLS.
WITHOUT_TLS = r"""
sed --in-place '/^  tls:/,/^    disabledProtocols/d' /etc/mongod/*.conf /etc/mongos.conf 2>/dev/null
sed --in-place 's/&tls=true[^ ]*//' /etc/film-library/*.env 2>/dev/null
true
"""


@pytest.fixture
def deployment(inventory: Inventory) -> Iterator[Deployment]:
    """New connections for each test, because the servers restart."""
    with connect(inventory) as deployment:
        yield deployment


def run_ops(*arguments: str, output: Path, **variables: str) -> str:
    """The output of `python -m ops ...` with these variables, which must succeed."""
    assert start_ops(*arguments, output=output, **variables).wait(PATIENCE) == 0, output.read_text()
    return output.read_text()


def answers_plainly(deployment: Deployment, process: Process) -> bool:
    with deployment.bare_client(process, answer_ms=2_000) as client:
        try:
            return bool(client.admin.command("hello"))
        except PyMongoError:
            return False


def client_without_tls(deployment: Deployment, inventory: Inventory) -> Client:
    """As a client of an older version of this project; the caller closes it."""
    password = inventory.passwords["cluster_admin"]
    return deployment.bare_client(inventory.routers[0], username="cluster-admin", password=password)


def take_tls_away(deployment: Deployment, inventory: Inventory) -> None:
    """Leaves the cluster as an older version of this project would have built it."""
    for machine in inventory.group("all"):
        deployment.host(machine).check_output(WITHOUT_TLS)
    for processes in (inventory.members, inventory.routers):
        for process in processes:
            # As after a crash: a shutdown would first give clients time to find another member.
            deployment.host(process.host).check_output(f"systemctl kill --signal=SIGKILL {process.unit}")
        for process in processes:
            wait_for(lambda process=process: answers_plainly(deployment, process), f"answer of {process} without TLS")
    web = deployment.host(inventory.group("web")[0])
    web.check_output("systemctl restart film-library-user.service film-library-admin.service")


def rights(deployment: Deployment, inventory: Inventory) -> set[tuple[str, str]]:
    """The user app's rights on the running cluster: (collection, action)."""
    admin = deployment.client(inventory.routers[0], "cluster-admin").admin
    answer = admin.command("rolesInfo", {"role": USER_APPS_ROLE, "db": "admin"}, showPrivileges=True)
    return _pairs(answer["roles"][0]["privileges"])


def _pairs(privileges: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["resource"]["collection"], action) for one in privileges for action in one["actions"]}


def widen_rights(deployment: Deployment, inventory: Inventory) -> None:
    """As in an older version, where the user app might write to every collection."""
    everything = {
        "resource": {"db": "movie_library", "collection": ""},
        "actions": ["find", "insert", "update", "remove"],
    }
    admin = deployment.client(inventory.routers[0], "cluster-admin").admin
    admin.command("updateRole", USER_APPS_ROLE, privileges=[everything])
    assert ("", "update") in rights(deployment, inventory)


@pytest.mark.thorough
def test_a_cluster_of_an_older_version_comes_to_require_tls(inventory: Inventory, tmp_path: Path) -> None:
    with connect(inventory) as before:
        somebody = visitor(before, inventory)
        widen_rights(before, inventory)
        take_tls_away(before, inventory)
    start_ops("status", output=tmp_path / "status").wait(PATIENCE)
    assert "without TLS" in (tmp_path / "status").read_text()
    with (
        somebody,
        connect(inventory) as meanwhile,
        client_without_tls(meanwhile, inventory) as old,
        Writer(old, meanwhile.client(inventory.routers[0], "cluster-admin")) as writer,
    ):
        wait_for(lambda: bool(somebody.signed_up and writer.acknowledged), "first sign-up and write")
        run_ops("up", output=tmp_path / "up")
        until_now = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > until_now, "another write")
        assert writer.lost() == []
    assert writer.failures_in_a_row() <= 1, writer.failures
    print(f"{len(writer.acknowledged)} writes, failed: {writer.failures}")
    assert [answer for answer in somebody.answers if not 200 <= answer.status < 400] == []
    print(f"{len(somebody.answers)} requests, longest {max(answer.seconds for answer in somebody.answers):.1f} s")
    with connect(inventory) as after:
        assert [process for process in inventory.processes if answers_plainly(after, process)] == []
        declared = next(role for role in inventory.database["cluster_database_roles"] if role["name"] == USER_APPS_ROLE)
        assert rights(after, inventory) == _pairs(declared["privileges"])
        users = after.client(inventory.routers[0], "cluster-admin")["movie_library"]["users"]
        assert users.count_documents({"username": {"$in": somebody.signed_up}}) == len(somebody.signed_up)
        for machine in inventory.group("all"):
            left = after.host(machine).run("ls /etc/systemd/system/mongo*.service.d/tls.conf")
            assert left.stdout == "", "a restart would accept connections without TLS again"
    assert re.search(r"changed=0\b", run_ops("up", output=tmp_path / "again"))


def certificates(deployment: Deployment, inventory: Inventory) -> dict[str, str]:
    """Process -> the fingerprint of the certificate that it shows."""
    show = "openssl s_client -connect 127.0.0.1:{port} < /dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
    ports = [(process.host, process.port) for process in inventory.processes]
    ports += [(web, port) for web in inventory.group("web") for port in (USER_APP_PORT, ADMIN_APP_PORT)]
    return {f"{host}:{port}": deployment.host(host).check_output(show.format(port=port)) for host, port in ports}


def test_all_certificates_are_renewed_without_a_restart(
    inventory: Inventory, deployment: Deployment, tmp_path: Path
) -> None:
    def processes() -> dict[str, str]:
        return {str(p): properties(deployment.host(p.host), p.unit)["MainPID"] for p in inventory.processes}

    shown, running = certificates(deployment, inventory), processes()
    with (
        Writer(deployment.client(inventory.routers[0], "cluster-admin")) as writer,
        visitor(deployment, inventory) as somebody,
    ):
        wait_for(lambda: len(writer.acknowledged) > 3, "first writes")
        run_ops("renew-certificates", output=tmp_path / "renewal")
        assert writer.lost() == []
    assert writer.failures == {}
    assert [answer for answer in somebody.answers if not 200 <= answer.status < 400] == []
    renewed = certificates(deployment, inventory)
    assert [name for name in shown if shown[name] == renewed[name]] == []
    assert processes() == running

"""The module mongodb_replica_set on real members with authentication on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from ops.certificates import Authority
from ops.processes import wait_for
from tests.ansible_modules.conftest import ADMIN, PASSWORD, Members, Module, direct
from tests.ansible_modules.tls import member_tls, module_options


def wanted(*hosts: str, name: str = "films", **options: Any) -> dict[str, Any]:
    """The module's arguments. Elections are short, so that a step-down takes seconds."""
    return {
        "name": name,
        "members": list(hosts),
        "local_member": hosts[0],
        "login_user": ADMIN,
        "login_password": PASSWORD,
        **module_options(member_tls()),
        "settings": {"electionTimeoutMillis": 2000},
        "timeout": 60,
        **options,
    }


def configured(address: str) -> list[str]:
    with direct(address) as client:
        return [member["host"] for member in client.admin.command("replSetGetConfig")["config"]["members"]]


def uninitialised(address: str) -> bool:
    with direct(address, admin=False) as client:
        return "setName" not in client.admin.command("hello")


def test_forms_a_set_with_authentication_on(run_module: Module, members: Members) -> None:
    hosts = [members.start("films") for _ in range(3)]

    preview = run_module("mongodb_replica_set", check=True, **wanted(*hosts))
    assert preview["changed"]
    assert preview["diff"]["after"]["members"] == sorted(hosts)
    assert all(uninitialised(host) for host in hosts)

    first = run_module("mongodb_replica_set", **wanted(*hosts))
    assert first["changed"], first
    assert first["primary"] == hosts[0]
    assert configured(hosts[0]) == hosts
    for host in hosts:
        with direct(host, admin=False) as client, pytest.raises(OperationFailure, match="requires authentication"):
            client.admin.command("replSetGetStatus")

    second = run_module("mongodb_replica_set", **wanted(*hosts))
    assert not second["changed"]
    assert second["changes"] == []


def test_adds_and_removes_members_the_primary_too(run_module: Module, members: Members) -> None:
    old, kept, new = (members.start("films") for _ in range(3))
    assert run_module("mongodb_replica_set", **wanted(old, kept))["primary"] == old

    preview = run_module("mongodb_replica_set", check=True, **wanted(kept, new))
    assert preview["changes"] == [f"would add {new}", f"would remove {old}"]
    assert configured(old) == [old, kept]

    result = run_module("mongodb_replica_set", **wanted(kept, new))
    assert result["changes"] == [f"add {new}", f"remove {old}"], result
    assert configured(result["primary"]) == [kept, new]
    assert result["diff"]["before"]["members"] == sorted([old, kept])


def test_goes_on_where_an_interrupted_run_stopped(run_module: Module, members: Members) -> None:
    hosts = [members.start("films") for _ in range(3)]
    with direct(hosts[0], admin=False) as client:
        client.admin.command("replSetInitiate", {"_id": "films", "members": [{"_id": 0, "host": hosts[0]}]})
    result = run_module("mongodb_replica_set", **wanted(*hosts))
    assert result["changes"][0] == f"created {ADMIN}", result
    assert configured(hosts[0]) == hosts


def test_needs_the_right_certificates(run_module: Module, members: Members, tmp_path: Path) -> None:
    """Without TLS, without a certificate, and with one of another authority, a member doesn't answer."""
    host = members.start("films")
    right, foreign = module_options(member_tls()), Authority.create(tmp_path)
    for wrong in (
        {"login_ca_file": None, "login_certificate_file": None},
        {**right, "login_certificate_file": None},
        {**right, "login_certificate_file": str(foreign.issue("client"))},
        {**right, "login_ca_file": str(foreign.file)},
    ):
        result = run_module("mongodb_login", login_port=int(host.partition(":")[2]), timeout=2, **wrong)
        assert "doesn't answer" in result["msg"], (wrong, result)
    assert run_module("mongodb_login", login_port=int(host.partition(":")[2]), timeout=20, **right)["primary"] is False


def test_refuses_a_member_of_another_set(run_module: Module, members: Members) -> None:
    other, fresh = members.start("series"), members.start("films")
    assert run_module("mongodb_replica_set", **wanted(other, name="series"))["changed"]
    result = run_module("mongodb_replica_set", **wanted(fresh, other))
    assert result["failed"]
    assert not result["changed"]
    assert f"{fresh}, {other} are replica set films" in result["msg"]
    assert f"{other} is a member of replica set series" in result["msg"]
    assert uninitialised(fresh)
    assert configured(other) == [other]


def test_refuses_two_sets_of_one_name(run_module: Module, members: Members) -> None:
    one, two = members.start("films"), members.start("films")
    for host in (one, two):
        assert run_module("mongodb_replica_set", **wanted(host))["changed"]
    result = run_module("mongodb_replica_set", **wanted(one, two))
    assert result["failed"]
    assert "another set" in result["msg"]
    assert configured(one) == [one]
    assert configured(two) == [two]


def test_refuses_to_initiate_renamed_data(run_module: Module, members: Members) -> None:
    host = members.start("films")
    assert run_module("mongodb_replica_set", **wanted(host))["changed"]
    members.processes[host].stop()
    assert members.start("renamed", data_of=host) == host
    result = run_module("mongodb_replica_set", **wanted(host, name="renamed"))
    assert result["failed"]
    assert not result["changed"]
    assert "holds the data of a set" in result["msg"]


def test_refuses_secrets_of_another_cluster(run_module: Module, members: Members) -> None:
    host = members.start("films")
    assert run_module("mongodb_replica_set", **wanted(host))["changed"]
    result = run_module("mongodb_replica_set", **wanted(host, login_password="not-the-one"))
    assert result["failed"]
    assert "these secrets belong to another cluster" in result["msg"]
    assert "not-the-one" not in str(result)


def test_waits_for_a_member_that_comes_back(run_module: Module, members: Members) -> None:
    hosts = [members.start("films") for _ in range(3)]
    run_module("mongodb_replica_set", **wanted(*hosts))
    members.processes[hosts[2]].stop()
    with direct(hosts[0]) as client:

        def noticed() -> bool:
            return client.admin.command("replSetGetStatus")["members"][2]["health"] == 0

        wait_for("the set to miss its member", noticed)
    down = run_module("mongodb_replica_set", **wanted(*hosts, timeout=3))
    assert down["failed"]
    assert hosts[2] in down["msg"]
    members.start("films", data_of=hosts[2])
    assert run_module("mongodb_replica_set", **wanted(*hosts))["changed"] is False

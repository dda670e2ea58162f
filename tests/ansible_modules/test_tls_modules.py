"""The modules mongodb_tls and mongodb_tls_info against a real mongod."""

from __future__ import annotations

from pathlib import Path

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.certificates import ClusterTls
from ops.processes import free_port
from tests.ansible_modules.conftest import ADMIN, PASSWORD, Members, Module, direct
from tests.ansible_modules.test_replica_set import wanted
from tests.ansible_modules.tls import MEMBER, member_tls, module_options


def port_of(address: str) -> int:
    return int(address.partition(":")[2])


def info(run_module: Module, *addresses: str) -> dict[str, list[int]]:
    ports = [port_of(address) for address in addresses]
    result = run_module("mongodb_tls_info", ports=ports, certificate_file=str(member_tls().file(MEMBER)))
    assert not result["failed"], result
    return {name: result[name] for name in ("plain", "without_tls", "outdated")}


@pytest.fixture
def login() -> dict[str, str]:
    certificate = str(member_tls().file(MEMBER))
    return {"login_user": ADMIN, "login_password": PASSWORD, "certificate_file": certificate} | module_options(
        member_tls()
    )


def test_a_plain_member_comes_to_use_tls(run_module: Module, members: Members, login: dict[str, str]) -> None:
    """Through allowTLS, which takes a restart, and preferTLS, which doesn't."""
    host = members.start("films", tls_mode="disabled")
    port = port_of(host)
    assert info(run_module, host) == {"plain": [port], "without_tls": [port], "outdated": []}
    plain = {"login_ca_file": "", "login_certificate_file": ""}
    assert run_module("mongodb_replica_set", **wanted(host) | plain)["changed"]
    refused = run_module("mongodb_tls", **login | plain, prefer_tls=True, login_port=port)
    assert "only a restart" in refused["msg"]

    members.processes[host].stop()
    members.start("films", data_of=host, tls_mode="allowTLS")
    assert info(run_module, host) == {"plain": [port], "without_tls": [], "outdated": []}

    with direct(host) as client:
        for check, before, after in ((True, "allowTLS", "allowTLS"), (False, "allowTLS", "preferTLS")):
            assert client.admin.command("getParameter", tlsMode=1)["tlsMode"] == before
            assert run_module("mongodb_tls", check=check, **login, prefer_tls=True, login_port=port)["changed"]
            assert client.admin.command("getParameter", tlsMode=1)["tlsMode"] == after
    assert info(run_module, host) == {"plain": [port], "without_tls": [], "outdated": []}
    for prefer_tls in (True, False):
        assert not run_module("mongodb_tls", **login, prefer_tls=prefer_tls, login_port=port)["changed"]

    members.processes[host].stop()
    members.start("films", data_of=host)
    assert info(run_module, host)["plain"] == []
    assert not run_module("mongodb_tls", **login, prefer_tls=True, login_port=port)["changed"]


def test_takes_up_a_renewed_certificate_and_keeps_connections(
    run_module: Module, members: Members, login: dict[str, str]
) -> None:
    host = members.start("films")
    port = port_of(host)
    assert run_module("mongodb_replica_set", **wanted(host))["changed"]
    with direct(host) as client:
        client.admin.command("ping")
        connections = client.admin.command("serverStatus")["connections"]["totalCreated"]
        authority = member_tls().authority
        assert authority
        authority.issue(MEMBER)
        assert info(run_module, host)["outdated"] == [port]
        preview = run_module("mongodb_tls", check=True, **login, login_port=port)
        assert (preview["changed"], preview["rotated"]) == (True, True), preview
        assert info(run_module, host)["outdated"] == [port]
        assert run_module("mongodb_tls", **login, login_port=port)["rotated"]
        assert info(run_module, host)["outdated"] == []
        assert not run_module("mongodb_tls", **login, login_port=port)["changed"]
        assert client.admin.command("ping")["ok"]
        assert client.admin.command("serverStatus")["connections"]["totalCreated"] >= connections


def test_a_certificate_that_cannot_be_used_is_reported(
    run_module: Module, members: Members, login: dict[str, str], tmp_path: Path
) -> None:
    host = members.start("films")
    assert run_module("mongodb_replica_set", **wanted(host))["changed"]
    empty = tmp_path / "empty.pem"
    empty.touch()
    for file, words in ((empty, "has no certificate"), (tmp_path / "none.pem", "No such file")):
        result = run_module("mongodb_tls", **login | {"certificate_file": str(file)}, login_port=port_of(host))
        assert words in result["msg"], result


def test_a_port_where_nothing_answers_is_left_out(run_module: Module) -> None:
    result = run_module("mongodb_tls_info", ports=[free_port()], certificate_file="/nowhere.pem")
    assert (result["failed"], result["plain"], result["without_tls"], result["outdated"]) == (False, [], [], [])


def test_members_refuse_clients_with_a_key_of_another_authority(members: Members, tmp_path: Path) -> None:
    """What mongodb_tls_info shows isn't trusted by anybody: a client in earnest checks both sides."""
    host = members.start("films")
    other = ClusterTls(tmp_path, "requireTLS")
    other.write([])
    with (
        MongoClient(f"mongodb://{host}", serverSelectionTimeoutMS=2000, **other.client_options()) as client,
        pytest.raises(PyMongoError),
    ):
        client.admin.command("hello")

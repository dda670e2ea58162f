"""The module mongodb_secrets_check on real processes: what differs is found, what can't be compared isn't."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from ops.local_cluster import CLUSTER_ADMIN, LocalCluster
from tests.ansible_modules.conftest import ADMIN, PASSWORD, Members, Module
from tests.ansible_modules.tls import member_tls, module_options


def port(address: str) -> int:
    return int(address.partition(":")[2])


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "host-keyfile"
    file.write_text("abcd\nefgh\n")
    return file


@pytest.mark.parametrize(
    ("content", "found"), [("abcdefgh", []), ("abcd\nefgh", []), ("abcdefgX", ["another key file"])]
)
def test_another_key_file_is_found(run_module: Module, key_file: Path, content: str, found: list[str]) -> None:
    ask = {"key_file_content": content, "admins": {}, "passwords": {}}
    assert run_module("mongodb_secrets_check", key_file=str(key_file), **ask)["differences"] == found
    assert run_module("mongodb_secrets_check", key_file=f"{key_file}-none", **ask)["differences"] == []


def test_another_password_of_a_member_is_found(run_module: Module, members: Members, key_file: Path) -> None:
    options = module_options(member_tls())
    common: dict[str, Any] = {"key_file": str(key_file), "key_file_content": "abcdefgh", **options}
    host = members.start("films")

    def differences(password: str) -> list[str]:
        asked: dict[str, Any] = {"members": [{"port": port(host), "cluster_role": "shardsvr"}]}
        asked |= {"admins": {"shardsvr": ADMIN}, "passwords": {ADMIN: password}}
        return list(run_module("mongodb_secrets_check", **common, **asked)["differences"])

    assert differences("not the password") == [], "it has no user yet"
    login = {"login_user": ADMIN, "login_password": PASSWORD}
    run_module("mongodb_replica_set", name="films", members=[host], local_member=host, **login, **options)
    assert differences(PASSWORD) == []
    assert differences("not the password") == [f"port {port(host)} rejects {ADMIN}'s password"]
    members.processes[host].stop(signal.SIGKILL)
    assert differences("not the password") == [], "it doesn't run"


def test_another_password_of_an_app_is_found(run_module: Module, small_cluster: LocalCluster, key_file: Path) -> None:
    assert small_cluster.router
    common: dict[str, Any] = {"key_file": str(key_file), "key_file_content": "abcdefgh"}
    common |= module_options(small_cluster.tls)
    passwords = {
        CLUSTER_ADMIN: small_cluster.passwords[CLUSTER_ADMIN],
        "film-library-admin": small_cluster.passwords["film-library-admin"],
        "film-library-user": "not the password",
        "not-there-yet": "not the password",
    }
    asked = {"router_port": small_cluster.router.port, "admins": {"configsvr": CLUSTER_ADMIN}}
    asked |= {"users": list(passwords), "passwords": passwords}
    found = run_module("mongodb_secrets_check", **common, **asked)
    assert found["differences"] == [f"port {small_cluster.router.port} rejects film-library-user's password"]

"""The module mongodb_member_restart on real members; systemd is played by a program that notes how it was called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ops.processes import wait_for
from tests.ansible_modules.conftest import ADMIN, PASSWORD, Members, Module, direct
from tests.ansible_modules.tls import member_tls, module_options


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What systemctl was called with, one call a line."""
    calls, programs = tmp_path / "calls", tmp_path / "bin"
    programs.mkdir()
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    (programs / "systemctl").chmod(0o755)
    calls.touch()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return calls


def is_primary(address: str) -> bool:
    with direct(address) as client:
        return bool(client.admin.command("hello")["isWritablePrimary"])


def test_a_member_restarts_only_while_the_others_are_healthy(
    run_module: Module, members: Members, called: Path
) -> None:
    hosts = [members.start("films") for _ in range(3)]
    login: dict[str, Any] = {"login_user": ADMIN, "login_password": PASSWORD, **module_options(member_tls())}
    formed = run_module("mongodb_replica_set", name="films", members=hosts, local_member=hosts[0], **login)
    assert formed["primary"] == hosts[0], formed
    common: dict[str, Any] = {"name": "films", "members": hosts, "unit": "mongod@films.service", "timeout": 60, **login}

    looked = run_module("mongodb_member_restart", check=True, **common, local_member=hosts[0])
    assert (looked["changed"], looked["stepped_down"]) == (True, True)
    left_alone = run_module("mongodb_member_restart", **common, local_member=hosts[0], primary=False)
    assert not left_alone["changed"]
    assert called.read_text() == ""
    assert is_primary(hosts[0])

    secondary = run_module("mongodb_member_restart", **common, local_member=hosts[1])
    assert (secondary["changed"], secondary["stepped_down"]) == (True, False), secondary
    assert is_primary(hosts[0])
    primary = run_module("mongodb_member_restart", **common, local_member=hosts[0])
    assert (primary["changed"], primary["stepped_down"]) == (True, True), primary
    assert not is_primary(hosts[0])
    assert called.read_text().splitlines() == ["daemon-reload", "restart mongod@films.service"] * 2
    with direct(hosts[0]) as client:
        found = client.admin.command("getParameter", 1, shutdownTimeoutMillisForSignaledShutdown=1)
    assert found["shutdownTimeoutMillisForSignaledShutdown"] == 1000

    # A primary learns late that a member is frozen; the module asks the member itself.
    called.write_text("")
    wait_for("primary", lambda: is_primary(hosts[1]) or is_primary(hosts[2]))
    frozen = next(host for host in hosts[1:] if not is_primary(host))
    members.processes[frozen].freeze()
    refused = run_module("mongodb_member_restart", **common | {"timeout": 2}, local_member=hosts[0])
    assert f"isn't healthy before the restart of {hosts[0]}: {frozen}: no answer" in refused["msg"]
    assert called.read_text() == ""

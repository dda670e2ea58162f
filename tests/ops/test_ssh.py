"""The controller's own ssh configuration, and how long a host that doesn't let us in is waited for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ops import ssh
from ops.paths import secrets_dir
from ops.settings import Settings, SettingsError


def effective(env: str, host: str = "192.0.2.1") -> dict[str, str]:
    """The configuration as ssh reads it."""
    lines = subprocess.run(
        ["ssh", "-G", *ssh.command(env, host)[1:]], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines if " " in line)


def test_ssh_uses_one_key_and_one_known_hosts_file_and_never_asks(sandbox: Path) -> None:
    options = effective("local")
    assert options["user"] == "root"
    assert options["identityfile"] == str(secrets_dir("local") / "ssh_key")
    assert options["userknownhostsfile"] == str(secrets_dir("local") / "known_hosts")
    assert options["globalknownhostsfile"] == "none"
    assert (options["identitiesonly"], options["identityagent"], options["batchmode"]) == ("yes", "none", "yes")
    assert options["stricthostkeychecking"] == "true"
    assert "proxycommand" not in options


def test_spaces_percents_and_umlauts_in_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / "film library 100%h für 'alle'"
    monkeypatch.setattr("ops.paths.ROOT", odd)
    options = effective("local")
    assert options["identityfile"].replace("%%", "%") == str(odd / "secrets" / "local" / "ssh_key")
    assert options["userknownhostsfile"].replace("%%", "%") == str(odd / "secrets" / "local" / "known_hosts")


def test_a_jump_host_is_reached_with_the_users_own_ssh_and_only_on_aws(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_JUMP", "bastion")
    assert "proxycommand" not in effective("local")
    assert effective("aws")["proxycommand"] == "ssh -o BatchMode=yes -W [%h]:%p -- bastion"
    monkeypatch.delenv("SSH_JUMP")
    assert "proxycommand" not in effective("aws")


@pytest.mark.parametrize("value", ["bastion", "me@bastion.example.com", "ssh://me@192.0.2.1:2222", "[2001:db8::1]"])
def test_valid_jump_hosts(value: str) -> None:
    Settings.read({"SSH_JUMP": value})


@pytest.mark.parametrize("value", ["-oProxyCommand=x", "a b", "a;b", "$(x)", "a\nb"])
def test_a_jump_host_that_is_an_option_or_a_command_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match=r"SSH_JUMP=[\s\S]*: must be a host for ssh"):
        Settings.read({"SSH_JUMP": value})


def test_the_error_for_a_missing_host_has_sshs_message(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "PATIENCE_SECONDS", 0.5)
    said: list[str] = []
    with pytest.raises(ssh.HostError) as refused:
        ssh.wait_until_admitted("mongo-1", ssh.command("local", "127.0.0.1", "-p", "9"), say=said.append)
    assert str(refused.value).startswith("can't log in to mongo-1 after ")
    assert "connect to host 127.0.0.1 port 9: Connection refused" in str(refused.value)
    assert said[0].startswith("waiting for mongo-1: ssh: connect to host")


def test_only_a_booting_host_gets_more_time(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "PATIENCE_SECONDS", 0.5)
    tries: list[str] = []
    with pytest.raises(ssh.HostError):
        ssh.wait_until_admitted(
            "mongo-1", ssh.command("local", "127.0.0.1", "-p", "9"), boot_seconds=3, say=tries.append
        )
    assert len(tries) >= 3
    tries.clear()
    with pytest.raises(ssh.HostError, match="Could not resolve hostname"):
        ssh.wait_until_admitted("mongo-1", ssh.command("local", "nowhere.invalid"), boot_seconds=300, say=tries.append)
    assert len(tries) <= 1

"""Secrets are generated once, private, and written atomically."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.db.backups import private_keys
from ops import secrets, vault
from ops.paths import ROOT


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_they_are_private_and_complete(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert set(contents(directory)) == {
        *("backup.key", "backup.pub", "ca.key", "ca.pem", "keyfile", "passwords.yml", "ssh_key", "ssh_key.pub")
    }
    for name in ("backup.key", "ca.key", "keyfile", "passwords.yml", "ssh_key"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert len(base64.b64decode((directory / "keyfile").read_text())) == 756
    assert list(secrets.load_passwords("test")) == list(secrets.PASSWORDS)


def test_the_keys_of_backups_are_a_pair(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    (key,) = private_keys(directory / "backup.key")
    assert f"{key.to_public()}\n" == (directory / "backup.pub").read_text()
    (directory / "backup.pub").unlink()
    secrets.ensure("test")
    assert f"{key.to_public()}\n" == (directory / "backup.pub").read_text()


def test_the_key_of_backups_is_never_removed(sandbox: Path) -> None:
    """Without it nobody could read backups, which may be in the bucket of a cluster that is gone."""
    assert secrets.remove("test") == []
    directory = secrets.ensure("test")
    for _ in range(2):
        (removed,) = secrets.remove("test")
        assert removed.startswith("secrets/test, but not backup.key")
        assert set(contents(directory)) == {"backup.key", "backup.pub"}
    before = contents(directory)
    assert before.items() <= contents(secrets.ensure("test")).items()


def test_a_key_of_backups_that_is_elsewhere_gets_no_successor(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    public = (directory / "backup.pub").read_text()
    (directory / "backup.key").unlink()
    secrets.ensure("test")
    assert not (directory / "backup.key").exists()
    assert (directory / "backup.pub").read_text() == public


def test_no_two_passwords_are_the_same(sandbox: Path) -> None:
    secrets.ensure("test")
    secrets.ensure("molecule")
    values = [*secrets.load_passwords("test").values(), *secrets.load_passwords("molecule").values()]
    assert len(set(values)) == 2 * len(secrets.PASSWORDS)
    assert min(map(len, values)) >= 32


def test_a_second_run_changes_nothing(sandbox: Path) -> None:
    before = contents(secrets.ensure("test"))
    assert contents(secrets.ensure("test")) == before


def test_a_missing_password_is_added(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    (directory / "passwords.yml").write_text("cluster_admin: kept\n")
    secrets.ensure("test")
    passwords = secrets.load_passwords("test")
    assert passwords["cluster_admin"] == "kept"
    assert set(passwords) == set(secrets.PASSWORDS)


def test_an_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        secrets.write_private(tmp_path / "keyfile", "half")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    secrets.write_private(tmp_path / "keyfile", "first")
    secrets.write_private(tmp_path / "keyfile", "second")
    assert (tmp_path / "keyfile").read_text() == "first"


@pytest.fixture
def password_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "vault-password"
    path.write_text("correct horse\n")
    monkeypatch.setenv("VAULT_PASSWORD_FILE", str(path))
    return path


@pytest.mark.usefixtures("password_file")
def test_with_a_vault_password_new_secrets_are_encrypted(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    assert set(vault.PROTECTED) - set(contents(directory)) == {"rotation.yml"}, "which is there for a while only"
    for name in set(vault.PROTECTED) & set(contents(directory)):
        assert contents(directory)[name].startswith(b"$ANSIBLE_VAULT;1.1;AES256\n")
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert list(secrets.load_passwords("test")) == list(secrets.PASSWORDS)
    assert len(base64.b64decode(secrets.read(directory / "keyfile"))) == 756
    before = contents(directory)
    assert contents(secrets.ensure("test")) == before


def test_plain_secrets_are_encrypted_once(sandbox: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VAULT_PASSWORD_FILE")
    directory = secrets.ensure("test")
    plain, passwords = (directory / "keyfile").read_text(), secrets.load_passwords("test")
    with pytest.raises(secrets.SecretsError, match="set VAULT_PASSWORD_FILE to a file with the password"):
        secrets.encrypt("test")
    monkeypatch.setenv("VAULT_PASSWORD_FILE", str(password_file))
    assert secrets.encrypt("test") == ["backup.key", "ca.key", "keyfile", "passwords.yml"]
    assert secrets.read(directory / "keyfile") == plain
    assert secrets.load_passwords("test") == passwords
    assert passwords["monitor"].encode() not in contents(directory)["passwords.yml"]
    encrypted = contents(directory)
    assert secrets.encrypt("test") == []
    assert contents(directory) == encrypted


@pytest.mark.usefixtures("password_file")
def test_a_password_is_added_to_encrypted_ones(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    secrets.write_private(directory / "passwords.yml", secrets.sealed("cluster_admin: kept\n"), replace=True)
    secrets.ensure("test")
    passwords = secrets.load_passwords("test")
    assert (passwords["cluster_admin"], set(passwords)) == ("kept", set(secrets.PASSWORDS))
    assert vault.encrypted("test") == ["backup.key", "ca.key", "keyfile", "passwords.yml"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "secrets/test/keyfile: encrypted; set VAULT_PASSWORD_FILE to the file with the password"),
        ("another", "not the password of secrets/test/backup.key"),
        ("", "is empty"),
        ("\n", "VAULT_PASSWORD_FILE="),
    ],
)
def test_without_the_right_password_nothing_is_touched(
    sandbox: Path, password_file: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, says: str
) -> None:
    before = contents(secrets.ensure("test"))
    if given is None:
        monkeypatch.delenv("VAULT_PASSWORD_FILE")
    else:
        password_file.write_text(given)
    for use in (secrets.check, secrets.ensure, secrets.encrypt):
        with pytest.raises(secrets.SecretsError, match=says):
            use("test")
    assert contents(sandbox / "secrets" / "test") == before


def test_a_missing_password_file_is_refused_before_anything_is_made(
    sandbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_PASSWORD_FILE", str(sandbox / "nothing"))
    assert vault.problems("test", os.environ) == [f"VAULT_PASSWORD_FILE={sandbox}/nothing: there is no such file"]
    with pytest.raises(secrets.SecretsError, match="there is no such file"):
        secrets.ensure("test")
    assert not (sandbox / "secrets").exists()


def test_a_program_may_print_the_password(sandbox: Path, password_file: Path) -> None:
    secrets.ensure("test")
    password_file.write_text("#!/bin/sh\necho correct horse\n")
    password_file.chmod(0o700)
    assert list(secrets.load_passwords("test")) == list(secrets.PASSWORDS)


def test_playbooks_read_encrypted_secrets(sandbox: Path, password_file: Path, tmp_path: Path) -> None:
    """As ansible/group_vars/all/main.yml does, with the variables of bin/shell."""
    directory = secrets.ensure("test")
    variables = {"passwords": f"{{{{ lookup('ansible.builtin.file', '{directory}/passwords.yml') | from_yaml }}}}"}
    copy = {"content": "{{ passwords.monitor }}", "dest": str(tmp_path / "out"), "mode": "0600"}
    play = {"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": [{"ansible.builtin.copy": copy}]}
    playbook = tmp_path / "play.yml"
    playbook.write_text(json.dumps([play]))
    ansible = Path(sys.executable).with_name("ansible-playbook")
    command = ["sh", "bin/shell", ansible, "-i", "localhost,", "-c", "local", playbook]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "out").read_text() == secrets.load_passwords("test")["monitor"]
    assert "correct horse" not in done.stdout + done.stderr

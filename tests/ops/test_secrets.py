"""Secrets are generated once, private, and written atomically."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from ops import secrets


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_they_are_private_and_complete(sandbox: Path) -> None:
    directory = secrets.ensure("test")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert set(contents(directory)) == {"keyfile", "passwords.yml", "ssh_key", "ssh_key.pub"}
    for name in ("keyfile", "passwords.yml", "ssh_key"):
        assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
    assert len(base64.b64decode((directory / "keyfile").read_text())) == 756
    assert list(secrets.load_passwords("test")) == list(secrets.PASSWORDS)


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

"""The search for secrets finds each kind in each place, and nothing where they belong."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ops import secrets
from tests import secret_search

HARMLESS = "nothing to see\n"


@pytest.fixture
def needles(sandbox: Path) -> secret_search.Needles:
    return secret_search.needles(secrets.ensure("test"))


def private_lines(sandbox: Path) -> list[str]:
    return (sandbox / "secrets/test/ssh_key").read_text().splitlines()


def test_every_secret_is_looked_for(sandbox: Path, needles: secret_search.Needles) -> None:
    assert set(needles.values()) == {*secrets.PASSWORDS, "backup.key", "ca.key", "keyfile", "ssh_key"}
    assert set(secrets.load_passwords("test").values()) <= needles.keys()
    assert not any(needle in (sandbox / "secrets/test/ssh_key.pub").read_text() for needle in needles)


@pytest.mark.parametrize("name", ["monitor", "ca.key", "keyfile", "ssh_key"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_secret_in_a_file_is_found(
    sandbox: Path, needles: secret_search.Needles, tmp_path: Path, name: str, packed: bool
) -> None:
    text = {
        "monitor": f"mongodb://monitor:{secrets.load_passwords('test')['monitor']}@localhost",
        "ca.key": (sandbox / "secrets/test/ca.key").read_text(),
        "keyfile": (sandbox / "secrets/test/keyfile").read_text(),
        "ssh_key": "\n".join(private_lines(sandbox)),
    }[name]
    log = tmp_path / "logs" / "run.log"
    log.parent.mkdir()
    log.write_bytes(gzip.compress(HARMLESS.encode()) if packed else HARMLESS.encode())
    assert secret_search.search_files(needles, secret_search.files_below(log.parent)) == []
    log.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert secret_search.search_files(needles, secret_search.files_below(log.parent)) == [f"{log}: {name}"]


def test_a_secret_across_two_pieces_is_found(
    needles: secret_search.Needles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long"
    path.write_text("x" * 90 + secrets.load_passwords("test")["monitor"] + "x" * 90)
    for size in (1, 7, 100, 101):
        monkeypatch.setattr(secret_search, "CHUNK", size)
        assert secret_search.search_files(needles, iter([path])) == [f"{path}: monitor"]


def test_files_that_vanish_or_only_look_packed_are_no_obstacle(needles: secret_search.Needles, tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8b" + secrets.load_passwords("test")["monitor"].encode())
    assert secret_search.search_files(needles, iter([tmp_path / "gone", broken])) == [f"{broken}: monitor"]


@pytest.mark.parametrize(
    ("of_file", "of_directory", "seen"), [(0o644, 0o755, True), (0o640, 0o755, False), (0o644, 0o750, False)]
)
def test_only_what_others_can_read_counts(
    needles: secret_search.Needles, tmp_path: Path, of_file: int, of_directory: int, seen: bool
) -> None:
    directory = tmp_path / "top" / "etc"
    directory.mkdir(parents=True)
    path = directory / "app.env"
    path.write_text(secrets.load_passwords("test")["monitor"])
    path.chmod(of_file)
    directory.chmod(of_directory)
    found = secret_search.search_files(needles, secret_search.files_below(tmp_path / "top", readable_only=True))
    assert found == ([f"{path}: monitor"] if seen else [])


def test_a_secret_on_a_command_line_is_found(needles: secret_search.Needles) -> None:
    assert secret_search.search_processes(needles) == []
    command = [sys.executable, "-c", "input()", secrets.load_passwords("test")["monitor"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert secret_search.search_processes(needles) == [f"process {sys.executable}: monitor"]
        process.communicate()


def test_command_lines_are_watched_during_a_run(needles: secret_search.Needles) -> None:
    found_later = threading.Event()
    command = [sys.executable, "-c", "input()", secrets.load_passwords("test")["monitor"]]
    with secret_search.watched(needles, every=0.01) as found:
        assert not found_later.wait(0.1)
        assert found == set()
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            while not found:
                found_later.wait(0.01)
            process.communicate()
    assert found == {f"process {sys.executable}: monitor"}


def test_an_environment_that_others_can_read_is_found(tmp_path: Path) -> None:
    (tmp_path / "42").mkdir()
    (tmp_path / "42" / "cmdline").write_bytes(b"gunicorn\0")
    (tmp_path / "42" / "environ").touch(0o400)
    assert secret_search.search_processes({}, tmp_path) == []
    (tmp_path / "42" / "environ").chmod(0o444)
    assert secret_search.search_processes({}, tmp_path) == ["process gunicorn: environment"]


@pytest.mark.parametrize("place", ["logs/run.log", "build/test/inventory.yml", ".cache/ansible/tmp/x", "tracked.md"])
def test_what_a_run_leaves_is_searched(sandbox: Path, needles: secret_search.Needles, place: str) -> None:
    subprocess.run(["git", "init", "-q", sandbox], check=True)
    path = sandbox / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(HARMLESS)
    subprocess.run(["git", "-C", sandbox, "add", "-f", place], check=True)
    assert secret_search.search_clone(needles, sandbox, "test") == []
    path.write_text(secrets.load_passwords("test")["app_admin_login"])
    assert secret_search.search_clone(needles, sandbox, "test") == [f"{path}: app_admin_login"]


def test_a_readable_secret_is_found(sandbox: Path, needles: secret_search.Needles) -> None:
    (sandbox / "secrets/test").chmod(0o755)
    assert secret_search.search_clone(needles, sandbox, "test") == []
    (sandbox / "secrets/test/keyfile").chmod(0o644)
    assert secret_search.search_clone(needles, sandbox, "test") == [f"{sandbox}/secrets/test/keyfile: keyfile"]


def test_a_host_is_searched_with_this_very_code(
    needles: secret_search.Needles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host is this machine, with two directories in place of its own, and a journal."""
    password = secrets.load_passwords("test")["monitor"]
    for name, mode in (("etc/open.env", 0o644), ("etc/closed.env", 0o600), ("log/app.log", 0o600)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(password)
        path.chmod(mode)
    journal = tmp_path / "journalctl"
    journal.write_text(f"#!/bin/sh\necho 'MESSAGE={password}'\n")
    journal.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def run(command: list[str], given: str) -> str:
        assert not any(needle in word for word in command for needle in needles)
        return subprocess.run(command, check=True, input=given, stdout=subprocess.PIPE, text=True).stdout

    found = secret_search.on_host(needles, run, (f"{tmp_path}/etc",), (f"{tmp_path}/log",))
    assert found == [f"{tmp_path}/etc/open.env: monitor", f"{tmp_path}/log/app.log: monitor", "journal: monitor"]

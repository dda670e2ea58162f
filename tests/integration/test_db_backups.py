"""Backups as files: complete or not listed as such, and refused by name when anything in them is wrong."""

from __future__ import annotations

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from backup_library import FILMS, LIBRARY, connect, contents, new_key, run, succeed
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from app.db import backups
from app.db.backups import Directory, files, full
from app.db.core import connection
from ops.local_cluster import LocalCluster

MOVIES = "movies.bson.zst.age"
MANIFEST = "manifest.json"


@pytest.fixture(scope="module")
def original(
    library: LocalCluster, key: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A directory with a backup, and its id. Not to be changed."""
    directory = tmp_path_factory.mktemp("backups")
    return directory, succeed(library, "backup", "--to", directory, "--public-key", key[1])


@pytest.fixture
def copy(original: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    """A copy to damage: the directory of backups, and the backup's id."""
    directory, backup = original
    shutil.copytree(directory, tmp_path / "backups")
    return tmp_path / "backups", backup


def test_a_backup_is_listed_and_verified(original: tuple[Path, str], key: tuple[Path, str]) -> None:
    directory, backup = original
    (row,) = json.loads(run(None, "backups", directory, "--json").output)
    assert (row["id"], row["problem"], row["collections"]["movies"]) == (backup, "", FILMS)
    assert "complete" in run(None, "backups", directory).output
    for name in (backup, "latest"):
        assert "is whole" in succeed(None, "verify-backup", directory, name, "--key", key[0])


def test_nothing_in_a_backup_can_be_read_without_the_key(original: tuple[Path, str], key: tuple[Path, str]) -> None:
    directory, backup = original
    for file in (directory / backup).iterdir():
        content = file.read_bytes()
        assert b"Film 1" not in content, file
        assert file.name == MANIFEST or content.startswith(b"age-encryption.org/v1"), file
    assert str(key[1]).encode() in (directory / backup / MANIFEST).read_bytes()
    assert b"AGE-SECRET-KEY" not in (directory / backup / MANIFEST).read_bytes()


def test_the_manifest_describes_every_collection(original: tuple[Path, str], library: LocalCluster) -> None:
    directory, backup = original
    made = backups.find(Directory(directory), backup)
    with library.client() as client:
        assert {entry.name: entry.documents for entry in made.collections if entry.documents} == {
            name: count for name, (count, _) in contents(client).items()
        }
        there = client[LIBRARY].movies.index_information()
    (movies,) = [entry for entry in made.collections if entry.name == "movies"]
    assert {index["name"] for index in movies.shape.indexes} == set(there) - {"_id_"}
    assert "title" in movies.shape.options["validator"]["$jsonSchema"]["required"]
    assert made.started <= made.ended


def damage_last_byte(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def damage_first_byte_of_data(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGE: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "truncated": (MOVIES, lambda file: file.write_bytes(file.read_bytes()[:-1])),
    "emptied": (MOVIES, lambda file: file.write_bytes(b"")),
    "longer": (MOVIES, lambda file: file.write_bytes(file.read_bytes() + b"x")),
    "missing": (MOVIES, lambda file: file.unlink()),
    "a bit flipped at the end": (MOVIES, damage_last_byte),
    "a bit flipped in the middle": (MOVIES, damage_first_byte_of_data),
    "swapped": (MOVIES, lambda file: shutil.copy(file.with_name("credits.bson.zst.age"), file)),
    "manifest truncated": (MANIFEST, lambda file: file.write_bytes(file.read_bytes()[:-1])),
    "manifest emptied": (MANIFEST, lambda file: file.write_bytes(b"")),
    "manifest missing": (MANIFEST, lambda file: file.unlink()),
    "manifest changed": (MANIFEST, lambda file: file.write_text(file.read_text().replace('"movies"', '"films"'))),
    "manifest of another kind": (MANIFEST, lambda file: file.write_text("[]")),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_damaged_is_refused_by_name(copy: tuple[Path, str], key: tuple[Path, str], what: str) -> None:
    directory, backup = copy
    name, damage = DAMAGE[what]
    damage(directory / backup / name)
    result = run(None, "verify-backup", directory, backup, "--key", key[0])
    assert result.exit_code == 1
    assert f"{backup}/{name}" in result.output, result.output
    assert "Traceback" not in result.output


def test_files_of_two_backups_cannot_be_mixed(
    copy: tuple[Path, str], library: LocalCluster, key: tuple[Path, str]
) -> None:
    directory, backup = copy
    other = succeed(library, "backup", "--to", directory, "--public-key", key[1])
    shutil.copy(directory / backup / MOVIES, directory / other / MOVIES)
    result = run(None, "verify-backup", directory, other, "--key", key[0])
    assert (result.exit_code, f"{other}/{MOVIES}" in result.output) == (1, True), result.output
    (directory / other / MANIFEST).write_bytes((directory / backup / MANIFEST).read_bytes())
    result = run(None, "verify-backup", directory, other, "--key", key[0])
    assert (result.exit_code, f"{other}/{MANIFEST} is that of" in result.output) == (1, True), result.output


def test_a_file_that_was_written_again_is_not_that_of_the_manifest(
    copy: tuple[Path, str], library: LocalCluster, key: tuple[Path, str]
) -> None:
    """The same documents, compressed and encrypted again, until the file has the same size: age's header varies."""
    directory, backup = copy
    file = directory / backup / MOVIES
    wanted = len(file.read_bytes())
    with library.client() as client:
        documents = list(client[LIBRARY].movies.find_raw_batches({}))
    made = io.BytesIO()
    while len(made.getvalue()) != wanted:
        made = io.BytesIO()
        files.write(iter(documents), made, backups.public_keys(key[1]))  # type: ignore[arg-type]
    file.write_bytes(made.getvalue())
    result = run(None, "verify-backup", directory, backup, "--key", key[0])
    assert (result.exit_code, f"{backup}/{MOVIES} isn't the file" in result.output) == (1, True), result.output


def test_another_key_is_refused(original: tuple[Path, str], tmp_path: Path) -> None:
    directory, backup = original
    other, _ = new_key(tmp_path)
    result = run(None, "verify-backup", directory, backup, "--key", other)
    assert (result.exit_code, "another key" in result.output) == (1, True), result.output
    assert run(None, "make-backup-key", other).exit_code == 1, "a key was overwritten"
    assert other.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "nothing", "AGE-SECRET-KEY-1QQQ", "\x00\xff"])
def test_what_is_no_key_is_refused(
    original: tuple[Path, str], library: LocalCluster, tmp_path: Path, text: str
) -> None:
    directory, backup = original
    file = tmp_path / "key"
    file.write_text(text, encoding="latin-1")
    result = run(None, "verify-backup", directory, backup, "--key", file)
    assert (result.exit_code, result.output.startswith("Error: ")) == (1, True), result.output
    assert run(library, "backup", "--to", tmp_path, "--public-key", text or "#").exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("backup", ["../secret", "..", "", "/etc", "20261129T123456Z-1a2b3c/.."])
def test_an_id_is_never_a_path(original: tuple[Path, str], key: tuple[Path, str], backup: str) -> None:
    result = run(None, "verify-backup", original[0], backup, "--key", key[0])
    assert (result.exit_code, "isn't the id of a backup" in result.output) == (1, True), result.output


def test_a_full_disk_leaves_no_backup(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    result = subprocess.run(
        [sys.executable, "-m", "app.cli", "backup", "--to", str(tmp_path), "--public-key", key[1]],
        env={**os.environ, "FILM_LIBRARY_MONGODB_URI": library.uri("film-library-backup")},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (result.returncode, "can't be written: File too large" in result.stderr) == (1, True), result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_backup_that_was_killed_is_not_listed_as_good(
    library: LocalCluster, key: tuple[Path, str], tmp_path: Path
) -> None:
    """Killed while it waits for a reader of the pipe that one of its files is."""
    command = [sys.executable, "-c", WAITING_BACKUP, str(tmp_path), key[1]]
    env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": library.uri("film-library-backup")}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGKILL)
    (left,) = tmp_path.iterdir()
    assert f"{left.name}  NOT COMPLETE" in run(None, "backups", tmp_path).output
    assert run(None, "verify-backup", tmp_path, "latest", "--key", key[0]).exit_code == 1
    again = succeed(library, "backup", "--to", tmp_path, "--public-key", key[1])
    assert again != left.name
    assert "is whole" in succeed(None, "verify-backup", tmp_path, "latest", "--key", key[0])


WAITING_BACKUP = """
import sys, threading
from pathlib import Path
from app.db import backups
from app.db.core import DatabaseConfig, connect
connect(DatabaseConfig.from_env())
store = backups.Directory(Path(sys.argv[1]))
def wait(backup, name, content):
    print("waiting", flush=True)
    threading.Event().wait()
store.publish = wait
backups.take(store, backups.public_keys(sys.argv[2]))
"""


def test_a_moment_of_which_the_history_is_gone_fails_with_advice(
    library: LocalCluster, key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = full._choose_moment

    def too_slow(*arguments: Any) -> Any:
        chosen = choose(*arguments)
        with library.client() as client:
            client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=0)
            for number in range(100):
                client[LIBRARY].locks.insert_one({"_id": f"later {number}"})
            client[LIBRARY].locks.delete_many({})
        return chosen

    monkeypatch.setattr(full, "_choose_moment", too_slow)
    try:
        result = run(library, "backup", "--to", tmp_path, "--public-key", key[1])
    finally:
        with library.client() as client:
            client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=300)
    assert (result.exit_code, "minSnapshotHistoryWindowInSeconds" in result.output) == (1, True), result.output
    assert list(tmp_path.iterdir()) == []


def test_the_result_is_noted(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> None:
    note = tmp_path / "status.json"
    arguments = ("backup", "--to", tmp_path, "--status", note, "--public-key")
    backup = succeed(library, *arguments, key[1])
    assert backups.status.read(tmp_path).backup == backup
    assert run(library, *arguments, "no key").exit_code == 1
    assert run(None, *arguments, key[1]).exit_code == 1
    found = backups.status.read(tmp_path)
    assert (found.backup, "FILM_LIBRARY_MONGODB_URI is not set" in found.failure) == (backup, True), found


def test_a_backup_leaves_time_to_others(
    library: LocalCluster, key: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four fifths of it, in small batches."""
    waited: list[float] = []
    monkeypatch.setattr(full, "SMALL", 10)
    monkeypatch.setattr(full.Pace, "pause", lambda pace, busy: waited.append(busy) or 0)
    succeed(library, "backup", "--to", tmp_path, "--share", "20", "--public-key", key[1])
    assert len(waited) >= 2 * FILMS / 10, "films and credits"
    assert "is whole" in succeed(None, "verify-backup", tmp_path, "latest", "--key", key[0])
    monkeypatch.undo()
    assert [full.Pace(share=share).pause(3) for share in (1, 0.5, 0.2)] == pytest.approx([0, 3, 12])


def test_old_backups_are_pruned(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> None:
    made = [succeed(library, "backup", "--to", tmp_path, "--public-key", key[1]) for _ in range(3)]
    assert run(None, "prune-backups", tmp_path, "--most-mb", "100").output == ""
    fetched = [word for backup in made for word in ("--fetched", backup)]
    removed = run(None, "prune-backups", tmp_path, "--most-mb", "100", *fetched).output
    assert removed == f"removed {sorted(made)[0]}\n"
    assert {path.name for path in tmp_path.iterdir()} == set(sorted(made)[1:])


def test_an_empty_database_is_no_backup(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> None:
    connect(library, "cluster-admin", "nothing_here")
    try:
        with pytest.raises(backups.BackupFailed, match="has no collections"):
            backups.take(Directory(tmp_path), backups.public_keys(key[1]))
    finally:
        connection.disconnect()


def test_the_backups_user_writes_nothing(library: LocalCluster) -> None:
    with library.client("film-library-backup") as client:
        assert client[LIBRARY].users.find_one() is not None
        _refused(client, {"insert": "movies", "documents": [{}]})
        _refused(client, {"delete": "movies", "deletes": [{"q": {}, "limit": 0}]})
        _refused(client, {"drop": "movies"})
        _refused(client, {"collMod": "movies", "validationLevel": "off"})


def _refused(client: MongoClient[dict[str, Any]], command: dict[str, Any]) -> None:
    with pytest.raises(OperationFailure) as refused:
        client[LIBRARY].command(command)
    assert refused.value.code == 13

"""What can happen to archived changes: killed processes, damage, gaps. A restore is exact, or refused by name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archiver import Archiver
from backup_library import LIBRARY, connect, contents, fill, new_key, run, succeed
from pymongo import MongoClient

from app.db import backups
from app.db.backups import Directory
from app.db.backups.changes import chain
from app.db.core import connection
from ops.local_cluster import LocalCluster
from ops.processes import wait_for

INTO = "restored_library"
Client = MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def library(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    fill(mongodb)
    yield mongodb
    with mongodb.client() as client:
        client.drop_database(LIBRARY)


@pytest.fixture
def client(library: LocalCluster) -> Iterator[Client]:
    with library.client() as client:
        yield client
        client.drop_database(INTO)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return new_key(tmp_path_factory.mktemp("key"))


@pytest.fixture
def archiver(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> Archiver:
    return Archiver(library, tmp_path / "store", key[1])


def arguments(directory: Path, key: tuple[Path, str], at: str = "latest") -> list[object]:
    return ["restore", directory, "latest", "--key", key[0], "--into", INTO, "--at", at]


def write(client: Client, number: int) -> None:
    client[LIBRARY].numbers.insert_one({"_id": number})
    client[LIBRARY].numbers.update_one({"_id": 0}, {"$push": {"seen": number}}, upsert=True)


def chain_of(archiver: Archiver) -> Path:
    """The directory of the only chain."""
    (chain,) = archiver.directory.glob("changes-*")
    return chain


def test_an_archiver_that_is_killed_goes_on_where_it_was(
    library: LocalCluster, client: Client, key: tuple[Path, str], archiver: Archiver
) -> None:
    client[LIBRARY].numbers.drop()
    with archiver:
        archiver.wait()
        for number in range(1, 4):
            write(client, number)
            archiver.stop(signal.SIGKILL)
            write(client, number + 10)
            archiver.start()
        archiver.wait()
    chain_of(archiver)
    succeed(library, *arguments(archiver.directory, key), user="cluster-admin")
    assert contents(client, INTO) == contents(client)


@pytest.fixture(scope="module")
def archived(
    library: LocalCluster, key: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, tuple[int, str]]]:
    """A directory with a backup and changes in several slices, not to be changed; and what was there at the end."""
    archiver = Archiver(library, tmp_path_factory.mktemp("archived") / "store", key[1])
    with library.client() as client, archiver:
        archiver.wait()
        for number in range(100, 103):
            write(client, number)
            archiver.wait()
        content = contents(client)
    return archiver.directory, content


@pytest.fixture
def copy(archived: tuple[Path, Any], tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(archived[0], tmp_path / "copy")
    return tmp_path / "copy"


def data_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("changes-*/*.age"))


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def swap(files: list[Path]) -> None:
    first, second = (file.read_bytes() for file in files[:2])
    files[0].write_bytes(second)
    files[1].write_bytes(first)


def json_of(file: Path) -> Path:
    return file.with_name(f"{file.name[:8]}.json")


def renumber(files: list[Path]) -> None:
    """A slice is left out, and the following ones take its place."""
    jsons = sorted(files[0].parent.glob("*.json"))
    place = jsons.index(json_of(files[0]))
    for file, following in zip(jsons[place:], jsons[place + 1 :], strict=False):
        shutil.copy(following, file)


DAMAGE: dict[str, Callable[[list[Path]], Any]] = {
    "truncated": lambda files: files[0].write_bytes(files[0].read_bytes()[:-1]),
    "flipped": lambda files: flip(files[0]),
    "missing": lambda files: files[0].unlink(),
    "swapped": swap,
    "json missing": lambda files: json_of(files[0]).unlink(),
    "json changed": lambda files: json_of(files[0]).write_text(
        json_of(files[0]).read_text().replace('"events": ', '"events": 1')
    ),
    "json emptied": lambda files: json_of(files[0]).write_bytes(b""),
    "left out": renumber,
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_slices_are_refused_by_name(
    library: LocalCluster, client: Client, key: tuple[Path, str], copy: Path, what: str
) -> None:
    """Before anything is loaded; by verify-backup, too."""
    files = data_files(copy)
    DAMAGE[what](files)
    for result in (
        run(library, *arguments(copy, key), user="cluster-admin"),
        run(None, "verify-backup", copy, "latest", "--key", key[0]),
    ):
        assert result.exit_code == 1
        name = files[0].name[:8] if what != "left out" else "0"
        assert f"{files[0].parent.name}/{name}" in result.output, result.output
        assert "Traceback" not in result.output
    assert contents(client, INTO) == {}
    assert run(None, "backups", copy).exit_code == 0


def test_a_missing_slice_with_the_backups_own_moment_is_noticed(
    library: LocalCluster, key: tuple[Path, str], copy: Path
) -> None:
    store = Directory(copy)
    (known,) = chain.chains(store)
    number = known.numbers[known.place(backups.find(store, "latest").cluster_time)]
    (copy / known.name / chain.json_name(number)).unlink()
    result = run(library, *arguments(copy, key), user="cluster-admin")
    assert (result.exit_code, f"{number:08}.json is missing" in result.output) == (1, True), result.output


def test_a_second_that_is_not_archived_is_refused_with_the_last_one_that_is(
    library: LocalCluster, key: tuple[Path, str], copy: Path
) -> None:
    (row,) = json.loads(run(None, "backups", copy, "--json").output)
    until = datetime.fromisoformat(row["restorable_until"])
    later = (until + timedelta(seconds=1)).isoformat()
    result = run(library, *arguments(copy, key, later), user="cluster-admin")
    assert (result.exit_code, f"can go to {until:%Y-%m-%dT%H:%M:%SZ}" in result.output) == (1, True), result.output
    result = run(library, *arguments(copy, key, "2020-01-01"), user="cluster-admin")
    assert (result.exit_code, "no complete backup of before" in result.output) == (1, True), result.output
    assert run(library, *arguments(copy, key, "tomorrow"), user="cluster-admin").exit_code == 2
    for directory in copy.glob("changes-*"):
        shutil.rmtree(directory)
    result = run(library, *arguments(copy, key), user="cluster-admin")
    assert (result.exit_code, "no changes since" in result.output) == (1, True), result.output


def test_a_damaged_slice_spares_the_seconds_before_it(
    library: LocalCluster, client: Client, key: tuple[Path, str], copy: Path
) -> None:
    *_, last = data_files(copy)
    flip(last)
    found = backups.find(Directory(copy), "latest")
    at = found.cluster_time.as_datetime().isoformat()
    succeed(library, *arguments(copy, key, at), user="cluster-admin")
    assert client[INTO].numbers.find_one({"_id": 102}) is None


# Ends, as kill -9 does, after so many steps of the replay.
KILLED = """
import importlib, os, sys
from app.cli import main
replay = importlib.import_module("app.db.backups.changes.replay")
left = int(sys.argv.pop(1))
def die_later(act):
    def counted(*arguments, **named):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return act(*arguments, **named)
    return counted
replay.MAX_EVENTS = 2
replay.in_transaction = die_later(replay.in_transaction)
replay._Batch._read = die_later(replay._Batch._read)
main()
"""


@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_interrupted_replay_goes_on(
    library: LocalCluster, client: Client, key: tuple[Path, str], archived: tuple[Path, Any], after: int
) -> None:
    command = [sys.executable, "-c", KILLED, str(after), *map(str, arguments(archived[0], key))]
    env = {**os.environ, "FILM_LIBRARY_MONGODB_URI": library.uri("cluster-admin")}
    killed = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert killed.returncode == 9, killed.stdout + killed.stderr
    found = backups.find(Directory(archived[0]), "latest").cluster_time.as_datetime().isoformat()
    other = run(library, *arguments(archived[0], key, found), user="cluster-admin")
    assert (other.exit_code, "is unfinished" in other.output) == (1, True), other.output
    succeed(library, *arguments(archived[0], key), user="cluster-admin")
    assert contents(client, INTO) == archived[1]


def test_two_archivers_never_mix(library: LocalCluster, key: tuple[Path, str], archiver: Archiver) -> None:
    with archiver:
        archiver.wait()
        second = Archiver(library, archiver.directory, key[1])
        second.start()
        wait_for("the second one's end", lambda: second.finished() is not None)
        assert second.finished() == 1
        assert "another process archives changes" in second.log.read_text()
        # With a lock of its own it takes the chain over, and one of the two finds out.
        other = Archiver(library, archiver.directory, key[1], state=archiver.directory.parent / "other")
        other.start()
        wait_for("an end", lambda: archiver.finished() is not None or other.finished() is not None)
        loser, winner = (archiver, other) if archiver.finished() is not None else (other, archiver)
        assert "another process archives changes" in loser.log.read_text()
        assert winner.stop() == 0
        chain_of(archiver)
        assert "is whole" in succeed(None, "verify-backup", archiver.directory, "latest", "--key", key[0])


@pytest.mark.parametrize("end", ["drop", "rename"])
def test_a_gap_is_noticed_and_closed_by_a_full_backup(
    library: LocalCluster, client: Client, key: tuple[Path, str], archiver: Archiver, end: str
) -> None:
    numbers = client[LIBRARY].numbers
    with archiver:
        archiver.wait()
        first = archiver.status()["chain"]
        write(client, 200)
        before = contents(client)
        numbers.drop() if end == "drop" else numbers.rename("counted")
        wait_for("a new chain", lambda: archiver.status()["chain"] != first)
        write(client, 201)
        archiver.wait()
    assert f"{end} numbers" in archiver.log.read_text()
    made = [one.manifest for one in backups.overview(Directory(archiver.directory)) if one.manifest]
    old, new = sorted(made, key=lambda manifest: manifest.cluster_time)
    into = ["--key", key[0], "--into", INTO, "--at", "latest"]
    for backup, content in ((old, before), (new, contents(client))):
        succeed(library, "restore", archiver.directory, backup.id, *into, user="cluster-admin")
        assert contents(client, INTO) == content
        client.drop_database(INTO)
    later = datetime.now(UTC).isoformat()
    result = run(library, "restore", archiver.directory, old.id, *into[:-1], later, user="cluster-admin")
    assert (result.exit_code, f"end ({end} numbers)" in result.output) == (1, True), result.output
    client[LIBRARY].counted.drop()


def test_collections_beside_the_librarys_are_left_out(client: Client, archiver: Archiver) -> None:
    with archiver:
        archiver.wait()
        for name in ("restored.films", "replaced.films", "unfinished_restore"):
            client[LIBRARY][name].insert_one({"_id": 1})
            client[LIBRARY][name].drop()
        client[LIBRARY]["restored.films"].insert_one({"_id": 1})
        client[LIBRARY]["restored.films"].rename("replaced.films")
        client[LIBRARY]["replaced.films"].drop()
        archiver.wait()
        chain_of(archiver)
        client[LIBRARY]["restored.films"].insert_one({"_id": 1})
        client[LIBRARY]["restored.films"].rename("films")
        wait_for("a new chain", lambda: len(list(archiver.directory.glob("changes-*"))) == 2)
        client[LIBRARY].films.drop()
    assert data_files(archiver.directory) == []


def test_history_that_the_servers_have_dropped_is_a_gap(
    data_directory: Path, mongod: Path, key: tuple[Path, str], tmp_path: Path
) -> None:
    cluster = LocalCluster(data_directory / "forgetful", mongod=mongod, shards=0, members=1)
    (process,) = cluster.processes
    process.argv[process.argv.index("--oplogSize") + 1] = "1"
    process.argv += ["--syncdelay", "1"]  # only what is in a checkpoint is dropped
    with cluster, cluster.client() as client:
        write(client, 1)
        archiver = Archiver(cluster, tmp_path / "store", key[1])
        with archiver:
            archiver.wait()
        first = archiver.status()["chain"]
        until = archiver.until()

        def forgotten() -> bool:
            client[LIBRARY].large.insert_many([{"text": "x" * 100_000} for _ in range(20)])
            found = client.local["oplog.rs"].find_one(sort=[("$natural", 1)])
            return found["ts"].as_datetime() > until + timedelta(seconds=1)  # type: ignore[index]

        wait_for("a shorter history", forgotten)
        with archiver:
            archiver.wait()
        assert archiver.status()["chain"] != first
        assert "changes since" in archiver.log.read_text()
        new = backups.find(Directory(archiver.directory), "latest")
        assert {entry.name for entry in new.collections} == {"large", "numbers"}


def test_the_apps_users_cannot_read_changes(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> None:
    connect(library, "film-library-user")
    try:
        with pytest.raises(backups.BackupFailed, match="not authorized"):
            backups.archive(Directory(tmp_path), backups.public_keys(key[1]), tmp_path / "lock", threading.Event())
    finally:
        connection.disconnect()

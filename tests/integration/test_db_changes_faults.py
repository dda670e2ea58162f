"""What can happen to archived changes: killed processes, gaps. A restore is exact, or refused by name."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archiver import INTO, Archiver, arguments, write
from backup_library import LIBRARY, connect, contents, run, succeed
from pymongo import MongoClient

from app.db import backups
from app.db.backups import Directory
from app.db.core import connection
from ops.local_cluster import LocalCluster
from ops.processes import wait_for

Client = MongoClient[dict[str, Any]]


@pytest.fixture
def client(library: LocalCluster) -> Iterator[Client]:
    with library.client() as client:
        yield client
        client.drop_database(INTO)


@pytest.fixture
def archiver(library: LocalCluster, key: tuple[Path, str], tmp_path: Path) -> Archiver:
    return Archiver(library, tmp_path / "store", key[1])


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
    assert list(archiver.directory.glob("changes-*/*.age")) == []


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

"""Members die while a backup is made or changes are archived: it goes on, and a restore is exact."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from archiver import Archiver
from backup_library import LIBRARY, contents, fill, new_key, paused_backup, succeed
from pymongo import MongoClient

from app.db import backups
from app.db.backups import Directory
from ops.local_cluster import LocalCluster

Client = MongoClient[dict[str, Any]]

# Of a film's description: so that films come in several batches, of 16 MiB at most.
LONG = 9_000
FILMS = 2_500
INTO = "restored"


@pytest.fixture(scope="module")
def library(cluster: LocalCluster) -> Iterator[Client]:
    fill(cluster)
    films = [
        {
            "_id": f"long{n}",
            "title": f"Long {n}",
            "type": "MOVIE",
            "title_hash": n,
            "description": os.urandom(LONG // 2).hex(),
        }
        for n in range(FILMS)
    ]
    with cluster.client() as client:
        client[LIBRARY].movies.insert_many(films, ordered=False)
        yield client


def test_a_shards_primary_is_killed(cluster: LocalCluster, library: Client, tmp_path: Path) -> None:
    key, public = new_key(tmp_path)
    before = contents(library)
    killed = cluster.primary("shard1")

    def kill() -> None:
        killed.send(signal.SIGKILL)
        killed.stop()
        # The moment is past: reading again after the election must not see this.
        library[LIBRARY].movies.update_many({"_id": {"$lt": "long2"}}, {"$inc": {"runtime": 1}})
        library[LIBRARY].credits.delete_many({"movie_id": "f1"})

    try:
        backup = paused_backup(cluster, tmp_path, public, {"reading": kill})
        assert contents(library) != before
        assert "is whole" in succeed(None, "verify-backup", tmp_path, backup, "--key", key)
        succeed(cluster, "restore", tmp_path, backup, "--key", key, "--into", INTO, user="cluster-admin")
        assert contents(library, INTO) == before
        made = backups.find(Directory(tmp_path), backup)
        assert {entry.name: entry.documents for entry in made.collections if entry.documents} == {
            name: count for name, (count, _) in before.items()
        }
    finally:
        killed.start()
        killed.wait_until_listening()
        library.drop_database(INTO)


def test_a_chain_outlives_a_primary_the_router_and_the_archiver(
    cluster: LocalCluster, library: Client, tmp_path: Path
) -> None:
    key, public = new_key(tmp_path)
    archiver = Archiver(cluster, tmp_path / "store", public)
    assert cluster.router is not None
    times = itertools.count()

    def write() -> None:
        batch = next(times)
        for number in range(20):
            library[LIBRARY].movies.update_one({"_id": f"long{number}"}, {"$inc": {"runtime": 1}})
            library[LIBRARY].locks.insert_one({"_id": f"lock {batch} {number}"})

    with archiver:
        archiver.wait()
        write()
        killed = cluster.primary("shard2")
        killed.stop(signal.SIGKILL)
        write()
        archiver.stop(signal.SIGKILL)
        write()
        cluster.router.stop(signal.SIGKILL)
        archiver.start()
        cluster.router.start()
        cluster.router.wait_until_listening()
        killed.start()
        killed.wait_until_listening()
        write()
        archiver.wait()
    assert len(list(archiver.directory.glob("changes-*"))) == 1, archiver.log.read_text()
    into = ["--key", key, "--into", INTO, "--at", "latest"]
    try:
        succeed(cluster, "restore", archiver.directory, "latest", *into, user="cluster-admin")
        assert contents(library, INTO) == contents(library)
    finally:
        library.drop_database(INTO)

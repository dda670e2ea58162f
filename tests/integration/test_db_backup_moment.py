"""A backup is of one moment, whatever is written meanwhile: a model of acknowledged writes says what it must hold."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_library import LIBRARY, contents, fill, new_key, paused_backup, succeed, succeed_beside
from pymongo import MongoClient
from writers import Writer, at_work, go_on

from app.db import backups
from app.db.backups import Directory
from ops.local_cluster import LocalCluster

Client = MongoClient[dict[str, Any]]

INTO = "restored"
MEANWHILE = 30  # acknowledged writes between the choice of the moment and the reading
ROUNDS = 2


@pytest.fixture(
    scope="module",
    params=[pytest.param(0, id="replica set"), pytest.param(2, id="2 shards", marks=pytest.mark.thorough)],
)
def library(request: pytest.FixtureRequest, data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    with (
        tempfile.TemporaryDirectory(dir=data_directory) as directory,
        LocalCluster(Path(directory) / "cluster", mongod=mongod, shards=request.param, members=1) as cluster,
    ):
        fill(cluster)
        yield cluster


@pytest.fixture
def writers(library: LocalCluster) -> Iterator[list[Writer]]:
    with at_work(library) as working:
        yield working


def test_a_backup_holds_what_was_acknowledged_by_its_moment(
    library: LocalCluster, writers: list[Writer], tmp_path: Path
) -> None:
    key, public = new_key(tmp_path)
    changed = 0
    for _ in range(ROUNDS):
        go_on(writers, 10)
        chosen = {"chosen": lambda: go_on(writers, MEANWHILE // len(writers))}
        backup = paused_backup(library, tmp_path, public, chosen)
        go_on(writers, 2)
        moment = backups.find(Directory(tmp_path), backup).cluster_time
        succeed_beside(library, "restore", tmp_path, backup, "--key", key, "--into", INTO)
        with library.client() as client:
            for writer in writers:
                found = writer.found(client, INTO)
                assert found in writer.possible(moment)
                changed += found != writer.found(client, LIBRARY)
            films = {film["_id"]: film["title_hash"] for film in client[INTO].movies.find()}
            claims = {claim["_id"]: claim["title_hash"] for claim in client[INTO].movie_ids.find()}
            assert {film: claims.get(film) for film in films} == films
            client.drop_database(INTO)
    assert changed > 0, "nothing was written meanwhile"


def test_restored_into_another_number_of_shards(library: LocalCluster, mongodb: LocalCluster, tmp_path: Path) -> None:
    key, public = new_key(tmp_path)
    backup = succeed(library, "backup", "--to", tmp_path, "--public-key", public)
    assert bool(backups.find(Directory(tmp_path), backup).cluster) == bool(library.router)
    with library.client() as source, mongodb.client() as target:
        wanted = contents(source)
        restored = ["restore", tmp_path, backup, "--key", key, "--into", INTO]
        succeed(mongodb, *restored, user="cluster-admin")
        assert contents(target, INTO) == wanted
        target.drop_database(INTO)
        # And from a replica set to this cluster.
        succeed(library, *restored, user="cluster-admin")
        assert contents(source, INTO) == wanted
        sharded = {row["_id"] for row in source.config.collections.find({"_id": {"$regex": f"^{INTO}"}})}
        names = {entry["collection"] for entry in library.database["cluster_sharded_collections"]}
        assert sharded == ({f"{INTO}.{name}" for name in names} if library.router else set())
        source.drop_database(INTO)

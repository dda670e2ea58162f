"""A backup is restored into a database that holds nothing, and equals what was backed up. Nothing is ever replaced."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from backup_library import LIBRARY, connect, contents, fill, run, succeed
from killed import run_and_kill
from pymongo import MongoClient

from app.db import backups
from app.db.backups import Directory
from app.db.backups.restoring import loading
from app.db.core import connection
from app.db.schema import create_indexes, install_validators, missing_indexes, missing_validators
from app.db.search import film_search
from ops.local_cluster import LocalCluster

INTO = "restored"
Client = MongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def library(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    """With what makes restoring harder: documents that MongoDB deletes at once, and one that breaks its validator."""
    fill(mongodb)
    with mongodb.client() as client:
        movies = client[LIBRARY].movies
        client[LIBRARY].command("collMod", "movies", validationLevel="off")
        movies.insert_one({"_id": "from an earlier release", "titel": "Old"})
        client[LIBRARY].command("collMod", "movies", validationLevel="strict")
        client.admin.command("setParameter", 1, ttlMonitorEnabled=False)
        expired = [{"_id": f"s{n}", "user_id": "ada", "expires_at": datetime(2020, 1, 1, tzinfo=UTC)} for n in range(9)]
        client[LIBRARY].sessions.insert_many(expired)
        yield mongodb
        client.admin.command("setParameter", 1, ttlMonitorEnabled=True)
        client.drop_database(LIBRARY)


@pytest.fixture(scope="module")
def backup(library: LocalCluster, key: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A directory with a backup, and its id."""
    directory = tmp_path_factory.mktemp("backups")
    return directory, succeed(library, "backup", "--to", directory, "--public-key", key[1])


@pytest.fixture
def client(library: LocalCluster) -> Iterator[Client]:
    with library.client() as client:
        yield client
        client.drop_database(INTO)


def arguments(backup: tuple[Path, str], key: tuple[Path, str]) -> list[object]:
    return ["restore", *backup, "--key", key[0], "--into", INTO]


def marker(backup: str, names: list[str] | None = None) -> dict[str, Any]:
    """What a restore leaves that was interrupted while it loaded."""
    return {"_id": "restore", "backup": backup, "step": "loading", "collections": names or [], "whole": True}


def test_restored_is_what_was_backed_up(
    library: LocalCluster, client: Client, backup: tuple[Path, str], key: tuple[Path, str]
) -> None:
    assert "is restored" in succeed(library, *arguments(backup, key), user="cluster-admin")
    assert contents(client, INTO) == contents(client)
    for name in client[LIBRARY].list_collection_names():
        assert client[INTO][name].index_information() == client[LIBRARY][name].index_information(), name
        options = [DEFAULTS | client[database][name].options() for database in (INTO, LIBRARY)]
        assert options[0] == options[1], name
    connect(library, "cluster-admin", INTO)
    try:
        assert film_search.search_movies("film").total > 0
        assert (missing_indexes(), missing_validators()) == ({}, [])
    finally:
        connection.disconnect()


DEFAULTS = {"validationLevel": "strict", "validationAction": "error"}


def test_a_database_that_a_deployment_has_prepared_can_be_restored_into(
    library: LocalCluster,
    client: Client,
    backup: tuple[Path, str],
    key: tuple[Path, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(library, "cluster-admin", INTO)
    install_validators()
    create_indexes()
    connection.disconnect()
    insert, loaded = loading.insert_missing, []

    def watched(name: str, documents: list[dict[str, Any]]) -> int:
        loaded.append(name)
        options = [option for index in client[INTO][name].index_information().values() for option in index]
        assert "expireAfterSeconds" not in options, "MongoDB could delete what is being loaded"
        return insert(name, documents)

    monkeypatch.setattr(loading, "insert_missing", watched)
    succeed(library, *arguments(backup, key), user="cluster-admin")
    assert {"movies", "sessions"} <= set(loaded)
    assert contents(client, INTO) == contents(client)
    assert client[INTO].sessions.index_information()["expires_at_1"]["expireAfterSeconds"] == 0
    assert client[INTO].movies.options()["validationLevel"] == "strict"


def test_nothing_that_exists_is_replaced(
    library: LocalCluster, client: Client, backup: tuple[Path, str], key: tuple[Path, str]
) -> None:
    client[INTO].movies.insert_one({"_id": "mine"})
    result = run(library, *arguments(backup, key), user="cluster-admin")
    assert (result.exit_code, "nothing is ever replaced" in result.output) == (1, True), result.output
    assert contents(client, INTO).keys() == {"movies"}
    before = contents(client)
    for database in (LIBRARY, "admin", "config", "local"):
        result = run(library, *arguments(backup, key)[:-1], database, user="cluster-admin")
        assert (result.exit_code, result.output.startswith("Error: the database")) == (1, True), result.output
    assert contents(client) == before
    assert "unfinished_restore" not in client.admin.list_collection_names()


STEPS = [
    "app.db.backups.restoring.loading:insert_missing",
    *(f"app.db.backups.shapes:{name}" for name in ("_open_for_loading", "run_command", "complete")),
]


@pytest.mark.parametrize("after", [0, 1, 4, 8, 12, 20, 35])
def test_interrupted_anywhere_it_can_be_run_again(
    library: LocalCluster, client: Client, backup: tuple[Path, str], key: tuple[Path, str], after: int
) -> None:
    batches = {"app.db.backups.restoring.loading:MAX_DOCUMENTS": 20}
    run_and_kill(library, after, STEPS, *arguments(backup, key), "--workers", "1", settings=batches)
    refused = run(library, "backup", "--to", backup[0], "--public-key", key[1])
    assert refused.exit_code == 0, refused.output  # of the library, not of what is half restored
    shutil.rmtree(backup[0] / refused.output.split()[-1])
    succeed(library, *arguments(backup, key), user="cluster-admin")
    assert contents(client, INTO) == contents(client)


def test_a_half_restored_database_is_not_backed_up_nor_mixed(
    library: LocalCluster, client: Client, backup: tuple[Path, str], key: tuple[Path, str], tmp_path: Path
) -> None:
    client[INTO].unfinished_restore.insert_one(marker("20200101T000000Z-000000"))
    result = run(library, *arguments(backup, key), user="cluster-admin")
    assert (result.exit_code, "20200101T000000Z-000000 is unfinished" in result.output) == (1, True), result.output
    uri = {"FILM_LIBRARY_MONGODB_URI": library.uri("cluster-admin"), "FILM_LIBRARY_DATABASE": INTO}
    command = [sys.executable, "-m", "app.cli", "backup", "--to", str(tmp_path), "--public-key", key[1]]
    refused = subprocess.run(command, env={**os.environ, **uri}, capture_output=True, text=True, check=False)
    assert (refused.returncode, "is unfinished" in refused.stderr) == (1, True), refused.stderr


def test_somebody_who_writes_meanwhile_is_noticed(
    library: LocalCluster, client: Client, backup: tuple[Path, str], key: tuple[Path, str]
) -> None:
    names = [entry.name for entry in backups.find(Directory(backup[0]), backup[1]).collections]
    client[INTO].unfinished_restore.insert_one(marker(backup[1], names))
    client[INTO].movies.insert_one({"_id": "f1", "title": "another one"})
    result = run(library, *arguments(backup, key), user="cluster-admin")
    assert (result.exit_code, "movies holds other documents" in result.output) == (1, True), result.output


def test_a_damaged_backup_is_not_called_restored(
    library: LocalCluster, client: Client, backup: tuple[Path, str], key: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(backup[0], tmp_path / "backups")
    file = tmp_path / "backups" / backup[1] / "credits.bson.zst.age"
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.write_bytes(content)
    result = run(library, *arguments((tmp_path / "backups", backup[1]), key), user="cluster-admin")
    assert (result.exit_code, "credits.bson.zst.age is damaged" in result.output) == (1, True), result.output
    assert client[INTO].unfinished_restore.find_one() is not None


def test_the_apps_users_cannot_restore(library: LocalCluster, backup: tuple[Path, str], key: tuple[Path, str]) -> None:
    for user in ("film-library-admin", "film-library-backup", "film-library-deploy"):
        result = run(library, *arguments(backup, key), user=user)
        assert (result.exit_code, "not authorized" in result.output) == (1, True), result.output

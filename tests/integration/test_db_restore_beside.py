"""A backup is restored beside the live collections, then takes their place; what was there is kept until told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_library import FILMS, LIBRARY, PASSWORD, connect, contents, fill, run, succeed
from killed import run_and_kill
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

from app.db import backups, operations
from app.db.accounts import sessions, users
from app.db.cluster import monitoring
from app.db.core import connection
from app.db.schema import create_indexes, install_validators, missing_indexes, missing_validators
from app.db.search import film_search
from ops.local_cluster import LocalCluster

Client = MongoClient[dict[str, Any]]

ADMIN = "cluster-admin"
SESSIONS = {"sessions", "admin_sessions"}


@pytest.fixture(scope="module")
def small_shards(
    data_directory: Path, mongod: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalCluster]:
    """Two shards of one member with a library, somebody logged in."""
    directory = tmp_path_factory.mktemp("shards", numbered=True)
    with LocalCluster(data_directory / directory.name, mongod=mongod, members=1) as cluster:
        fill(cluster)
        connect(cluster, "film-library-user")
        ada = users.authenticate("ada", PASSWORD)
        assert ada is not None
        sessions.open_session(ada["_id"], "user")
        connection.disconnect()
        yield cluster


@pytest.fixture(scope="module")
def backup(small_shards: LocalCluster, key: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """What the command `restore` is told for it."""
    directory = tmp_path_factory.mktemp("backups")
    made = succeed(small_shards, "backup", "--to", directory, "--public-key", key[1])
    return [directory, made, "--key", key[0]]


@pytest.fixture(scope="module")
def original(small_shards: LocalCluster, backup: list[object]) -> dict[str, Any]:
    """The contents at the moment of the backup, which each test leaves behind."""
    with small_shards.client() as client:
        return plain(contents(client))


@pytest.fixture
def client(small_shards: LocalCluster, original: dict[str, Any]) -> Iterator[Client]:
    with small_shards.client() as client:
        yield client
    succeed(small_shards, "restore-cleanup", user=ADMIN)


def plain(found: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The contents of the collections with a prefix (none: the live ones), without sessions and notes."""
    others = ("restored.", "replaced.") if not prefix else ()
    return {
        name.removeprefix(prefix): content
        for name, content in found.items()
        if name.startswith(prefix)
        and not name.startswith(others)
        and name.removeprefix(prefix) not in {*SESSIONS, "unfinished_restore"}
    }


def damage(client: Client) -> None:
    """What an intruder leaves: something deleted, something changed, a note."""
    library = client[LIBRARY]
    library.movies.delete_many({"_id": {"$lt": "f3"}})
    library.users.update_many({}, {"$set": {"username": "owned"}})
    library.credits.drop()
    library.READ_ME.insert_one({"pay": "now"})


def test_a_backup_takes_the_place_of_what_there_is(
    small_shards: LocalCluster, client: Client, backup: list[object], original: dict[str, Any], key: tuple[Path, str]
) -> None:
    damage(client)
    damaged = contents(client)
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    assert plain(contents(client)) == plain(damaged)
    assert plain(contents(client), "restored.") == original

    counts = json.loads(run(small_shards, "swap-in", "--dry-run", user=ADMIN).output)
    assert (counts["movies"], counts["credits"], counts["READ_ME"]) == (
        [damaged["movies"][0], FILMS],
        [0, FILMS],
        [1, 0],
    )
    assert "has taken the place" in succeed(small_shards, "swap-in", user=ADMIN)
    after = contents(client)
    assert plain(after) == original
    assert not SESSIONS & set(after), "somebody stayed logged in"
    assert plain(after, "replaced.") == plain(damaged)
    assert not [name for name in after if name.startswith("restored.")]
    keys = {row["_id"]: row["key"] for row in client.config.collections.find({"_id": {"$regex": f"^{LIBRARY}"}})}
    for entry in small_shards.database["cluster_sharded_collections"]:
        assert keys[f"{LIBRARY}.{entry['collection']}"] == entry["key"]
    sharded = {entry["collection"] for entry in small_shards.database["cluster_sharded_collections"]}
    assert {name for shard in monitoring._count_chunks(client, LIBRARY).values() for name in shard} == sharded
    assert run(small_shards, "swap-in", user=ADMIN).exit_code == 1, "nothing is restored"

    # The apps and the deployment work on it, and the next backup doesn't have what was replaced.
    connect(small_shards, "film-library-deploy")
    assert (missing_indexes(), missing_validators()) == ({}, [])
    install_validators()
    create_indexes()
    connect(small_shards, "film-library-user")
    assert film_search.search_movies("film").total > 0
    assert users.authenticate("ada", PASSWORD) is not None
    connect(small_shards, "film-library-admin")
    operations.update_document("movies", "f1", {"title": "Changed"})
    connection.disconnect()
    again = succeed(small_shards, "backup", "--to", backup[0], "--public-key", key[1])
    names = {entry.name for entry in backups.find(backups.open_store(str(backup[0])), again).collections}
    assert {name for name in names if "." in name} == {"uploads.files", "uploads.chunks"}

    # What an earlier restore has replaced is kept, until told.
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    succeed(small_shards, "swap-in", user=ADMIN)
    assert plain(contents(client)) == original
    assert client[LIBRARY]["replaced.movies"].count_documents({}) == damaged["movies"][0]
    assert client[LIBRARY]["replaced.movies.2"].find_one({"title": "Changed"}) is not None
    assert "READ_ME" in run(small_shards, "restore-cleanup", "--dry-run", user=ADMIN).output
    succeed(small_shards, "restore-cleanup", user=ADMIN)
    assert not [name for name in client[LIBRARY].list_collection_names() if name.startswith("re")]


def test_interrupted_anywhere_the_swap_can_be_run_again(
    small_shards: LocalCluster, client: Client, backup: list[object], original: dict[str, Any], key: tuple[Path, str]
) -> None:
    damage(client)
    damaged = contents(client)
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    for step in (0, 2, 6, 2):
        kill(small_shards, step)
        refused = run(small_shards, "backup", "--to", backup[0], "--public-key", key[1])
        assert (refused.exit_code, "is unfinished" in refused.output) == (1, True), refused.output
        assert run(small_shards, "restore-cleanup", user=ADMIN).exit_code == 1, "what is being swapped in was removed"
    # An app that still runs makes a collection again that has just been moved away. (The intruder's dropped one isn't.)
    there = set(client[LIBRARY].list_collection_names())
    waiting = {name.removeprefix("restored.") for name in there if name.startswith("restored.")}
    (moved,) = waiting - there - {"unfinished_restore", "credits"}
    client[LIBRARY][moved].insert_one({"_id": "straggler"})
    succeed(small_shards, "swap-in", user=ADMIN)
    after = contents(client)
    assert plain(after) == original
    replaced = plain(after, "replaced.")
    assert {name: replaced[name] for name in plain(damaged)} == plain(damaged)
    assert client[LIBRARY][f"replaced.{moved}"].find_one({"_id": "straggler"}) is None
    assert client[LIBRARY][f"replaced.{moved}.2"].find_one({"_id": "straggler"}) is not None


def kill(cluster: LocalCluster, step: int) -> None:
    run_and_kill(cluster, step, ["app.db.backups.restoring.swapping:_rename"], "swap-in")


def test_nothing_unfinished_is_swapped_in(small_shards: LocalCluster, client: Client, backup: list[object]) -> None:
    before = contents(client)
    result = run(small_shards, "restore", *backup, "--beside", "--new-library", user=ADMIN)
    assert (result.exit_code, "the library isn't new: there are movies" in result.output) == (1, True), result.output
    marker = {"backup": "20200101T000000Z-000000", "step": "loading", "collections": ["movies"], "whole": True}
    unfinished = client[LIBRARY]["restored.unfinished_restore"]
    unfinished.insert_one({"_id": "restore"} | marker)
    for arguments, said in (
        (["swap-in"], "run it again"),
        (["restore", *backup, "--beside"], "is unfinished"),
    ):
        result = run(small_shards, *arguments, user=ADMIN)
        assert (result.exit_code, said in result.output) == (1, True), result.output
    unfinished.update_one({}, {"$set": {"step": "loaded", "whole": False}})
    assert "only movies" in run(small_shards, "swap-in", user=ADMIN).output
    client[LIBRARY]["restored.movies"].insert_one({})
    succeed(small_shards, "restore-cleanup", user=ADMIN)
    assert contents(client) == before
    client[LIBRARY]["restored.movies"].insert_one({})
    result = run(small_shards, "restore", *backup, "--beside", user=ADMIN)
    assert (result.exit_code, "restore-cleanup" in result.output) == (1, True), result.output


def test_a_library_in_use_is_never_replaced_as_a_new_one(
    small_shards: LocalCluster, client: Client, backup: list[object], original: dict[str, Any]
) -> None:
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)  # as `make restore`, answered with "no"
    new = ["restore", *backup, "--beside", "--new-library"]
    result = run(small_shards, *new, user=ADMIN)
    assert (result.exit_code, "the library isn't new" in result.output) == (1, True), result.output
    client[LIBRARY].movies.delete_many({})
    client[LIBRARY].users.delete_many({})
    kill(small_shards, 2)  # in the middle of the swap
    result = run(small_shards, *new, user=ADMIN)
    assert (result.exit_code, "is unfinished" in result.output) == (1, True), result.output
    succeed(small_shards, "swap-in", user=ADMIN)
    assert plain(contents(client)) == original


def test_a_new_librarys_restore_goes_on_after_the_swap_and_keeps_what_has_documents(
    small_shards: LocalCluster, client: Client, backup: list[object], original: dict[str, Any]
) -> None:
    client[LIBRARY].movies.delete_many({})
    client[LIBRARY].users.delete_many({})
    new = ["restore", *backup, "--beside", "--new-library"]
    for _ in range(2):  # the second time, after the apps couldn't be started
        succeed(small_shards, *new, user=ADMIN)
        succeed(small_shards, "swap-in", user=ADMIN)
        counts = json.loads(run(small_shards, "swap-in", "--dry-run", user=ADMIN).output)
        assert counts["movies"] == [FILMS, FILMS]
    succeed(small_shards, "restore-cleanup", user=ADMIN)
    assert plain(contents(client)) == original
    names = set(client[LIBRARY].list_collection_names())
    assert "replaced.credits" in names
    assert not [name for name in names if name.startswith("restored.")]
    assert not {"replaced.movies", "replaced.users"} & names, "empty collections were kept"
    sharded = {entry["collection"] for entry in small_shards.database["cluster_sharded_collections"]}
    assert {name for shard in monitoring._count_chunks(client, LIBRARY).values() for name in shard} >= sharded
    result = run(small_shards, *new, user=ADMIN)
    assert (result.exit_code, "the library isn't new" in result.output) == (1, True), result.output


def test_to_give_up_a_restore_keeps_what_an_earlier_one_has_replaced(
    small_shards: LocalCluster, client: Client, backup: list[object]
) -> None:
    for command in (["restore", *backup, "--beside"], ["swap-in"], ["restore", *backup, "--beside"]):
        succeed(small_shards, *command, user=ADMIN)
    for left in ({"replaced"}, set()):
        succeed(small_shards, "restore-cleanup", user=ADMIN)
        names = client[LIBRARY].list_collection_names()
        assert {name.partition(".")[0] for name in names if name.startswith(("restored.", "replaced."))} == left


def test_what_is_left_of_an_interrupted_cleanup_is_not_called_restored(
    small_shards: LocalCluster, client: Client, backup: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    with monkeypatch.context() as patch:
        fail_at_drop(patch, 3)
        assert run(small_shards, "restore-cleanup", user=ADMIN).exit_code == 1
    for command, said in ((["swap-in"], "nothing is restored"), (["restore", *backup, "--beside"], "restore-cleanup")):
        result = run(small_shards, *command, user=ADMIN)
        assert (result.exit_code, said in result.output) == (1, True), result.output
    succeed(small_shards, "restore-cleanup", user=ADMIN)
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    client[LIBRARY]["restored.movies"].drop()
    result = run(small_shards, "swap-in", user=ADMIN)
    assert (result.exit_code, "movies is missing" in result.output) == (1, True), result.output


def test_latest_is_never_an_older_backup_whose_restore_was_given_up(
    small_shards: LocalCluster, client: Client, backup: list[object], key: tuple[Path, str]
) -> None:
    succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    newer = succeed(small_shards, "backup", "--to", backup[0], "--public-key", key[1])
    wanted = ["restore", backup[0], "latest", *backup[2:], "--beside"]
    result = run(small_shards, *wanted, user=ADMIN)
    assert (result.exit_code, f"{backup[1]} is unfinished" in result.output, newer in result.output) == (1, True, True)
    assert f"{backup[1]} is restored" in succeed(small_shards, "restore", *backup, "--beside", user=ADMIN)
    succeed(small_shards, "restore-cleanup", user=ADMIN)
    assert f"{newer} is restored" in succeed(small_shards, *wanted, user=ADMIN)


def fail_at_drop(patch: pytest.MonkeyPatch, number: int) -> None:
    """The connection is cut at the n-th drop of a collection."""
    drop, drops = Collection.drop, []

    def cut(collection: Collection[dict[str, Any]]) -> None:
        drops.append(collection.name)
        if len(drops) >= number:
            raise AutoReconnect
        drop(collection)

    patch.setattr(Collection, "drop", cut)


def test_the_apps_users_can_neither_swap_nor_clean_up(small_shards: LocalCluster, client: Client) -> None:
    marker = {"_id": "restore", "backup": "x", "step": "loaded", "collections": ["movies"], "whole": True}
    client[LIBRARY]["restored.unfinished_restore"].insert_one(marker)
    client[LIBRARY]["restored.movies"].insert_one({})
    before = contents(client)
    for user in ("film-library-admin", "film-library-deploy", "film-library-backup"):
        for command in ("swap-in", "restore-cleanup"):
            result = run(small_shards, command, user=user)
            assert (result.exit_code, "not authorized" in result.output) == (1, True), (user, result.output)
    assert contents(client) == before

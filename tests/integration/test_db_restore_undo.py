"""What a restore has replaced comes back, and what was there instead is kept; interrupted anywhere, it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_library import FILMS, LIBRARY, contents, fill, run, succeed
from killed import run_and_kill
from pymongo import MongoClient

from ops.local_cluster import LocalCluster

Client = MongoClient[dict[str, Any]]

ADMIN = "cluster-admin"
NOBODY = "age1fmmrq88edcd3m0thzwsl7axhkme5sl524zaumv5eactpgk59hywqzkpy7m"
NOTES = "unfinished_restore"
SESSIONS = {"sessions", "admin_sessions"}


@pytest.fixture
def library(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    fill(mongodb)
    yield mongodb
    with mongodb.client() as client:
        client.drop_database(LIBRARY)


@pytest.fixture
def client(library: LocalCluster) -> Iterator[Client]:
    with library.client() as client:
        yield client


@pytest.fixture
def restored(library: LocalCluster, client: Client, key: tuple[Path, str], tmp_path: Path) -> dict[str, Any]:
    """A backup has replaced what was written after it, and was written to since. Returns what it has replaced."""
    backup = succeed(library, "backup", "--to", tmp_path, "--public-key", key[1])
    client[LIBRARY].movies.delete_many({"_id": {"$ne": "f1"}})
    client[LIBRARY].notes.insert_one({"_id": "later"})
    client[LIBRARY].credits.drop()
    before = live(client)
    succeed(library, "restore", tmp_path, backup, "--key", key[0], "--beside", user=ADMIN)
    succeed(library, "swap-in", user=ADMIN)
    client[LIBRARY].movies.delete_one({"_id": "f3"})
    return before


def live(client: Client, prefix: str = "") -> dict[str, Any]:
    """The contents of the live collections, or of those with a prefix, by name without it."""
    others = () if prefix else ("restored.", "replaced.")
    found = {name: content for name, content in contents(client).items() if not name.startswith(others)}
    names = {name.removeprefix(prefix): content for name, content in found.items() if name.startswith(prefix)}
    return {name: content for name, content in names.items() if name not in {*SESSIONS, NOTES}}


def refused(library: LocalCluster, command: str, said: str) -> None:
    result = run(library, *command.split(), user=ADMIN)
    assert (result.exit_code, said in result.output) == (1, True), result.output


def test_what_was_replaced_comes_back(library: LocalCluster, client: Client, restored: dict[str, Any]) -> None:
    instead = live(client)
    client[LIBRARY].sessions.insert_one({"_id": "somebody"})
    counts = json.loads(run(library, "restore-undo", "--dry-run", user=ADMIN).output)
    assert (counts["movies"], counts["credits"], counts["notes"]) == ([FILMS - 1, 1], [FILMS, 0], [0, 1])
    assert "what was there until 20" in succeed(library, "restore-undo", user=ADMIN)
    assert live(client) == restored
    assert live(client, "replaced.") == instead
    assert client[LIBRARY].sessions.find_one() is None, "somebody stayed logged in"
    assert not [name for name in client[LIBRARY].list_collection_names() if name.startswith("restored.")]
    refused(library, "restore-undo", "undone already")  # whoever repeats it doesn't undo that
    assert live(client) == restored
    succeed(library, "restore-cleanup", user=ADMIN)
    assert not [name for name in client[LIBRARY].list_collection_names() if name.startswith("re")]


STEPS = [f"app.db.backups.restoring.{name}" for name in ("swapping:_rename", "marker:note_moved", "marker:advance")]
LAST = ["app.db.backups.restoring.marker:remove"]


@pytest.mark.parametrize(("steps", "kills"), [(STEPS, (1, 9, 30)), (LAST, (0, 1))])
def test_interrupted_anywhere_it_can_be_run_again(
    library: LocalCluster, client: Client, restored: dict[str, Any], steps: list[str], kills: tuple[int, ...]
) -> None:
    """Until it is complete, nothing else is done."""
    instead = live(client)
    for after in kills:
        run_and_kill(library, after, steps, "restore-undo")
        if after > 0:
            refused(library, "restore-cleanup", "complete that first")
            refused(library, f"backup --to {library.directory} --public-key {NOBODY}", "is unfinished")
            assert run(library, "restore-undo", "--dry-run", user=ADMIN).exit_code == 0
    succeed(library, "restore-undo", user=ADMIN)
    assert live(client) == restored
    assert live(client, "replaced.") == instead
    refused(library, "restore-undo", "undone already")


def test_nothing_else_is_undone(library: LocalCluster, client: Client, restored: dict[str, Any]) -> None:
    """Neither while another restore is under way, nor with a part of it."""
    before = contents(client)
    for user in ("film-library-admin", "film-library-deploy", "film-library-backup"):
        assert "not authorized" in run(library, "restore-undo", user=user).output
    marker = {"_id": "restore", "backup": "x", "step": "loading", "collections": ["movies"], "whole": True}
    client[LIBRARY]["restored.unfinished_restore"].insert_one(marker)
    refused(library, "restore-undo", "a restore of x is under way")
    client[LIBRARY]["restored.unfinished_restore"].drop()
    client[LIBRARY]["replaced.movies"].rename("replaced.elsewhere")
    refused(library, "restore-undo", "replaced.movies is missing")
    client[LIBRARY]["replaced.elsewhere"].rename("replaced.movies")
    assert contents(client) == before
    succeed(library, "restore-cleanup", user=ADMIN)
    refused(library, "restore-undo", "no restore has replaced anything")


def test_the_leftovers_of_a_restore_are_not_put_in_place(
    library: LocalCluster, client: Client, restored: dict[str, Any]
) -> None:
    """An interrupted restore-cleanup leaves collections that nobody has compared, without a marker."""
    client[LIBRARY]["restored.movies"].insert_one({"_id": "half"})
    before = contents(client)
    for command in ("restore-undo --dry-run", "restore-undo"):
        refused(library, command, "restored.movies: a restore was given up: remove what there is of it")
    assert contents(client) == before
    succeed(library, "restore-cleanup", user=ADMIN)
    succeed(library, "restore-undo", user=ADMIN)
    assert live(client) == restored


def test_what_appears_during_an_undo_is_not_put_in_place(
    library: LocalCluster, client: Client, restored: dict[str, Any]
) -> None:
    run_and_kill(library, 1, STEPS, "restore-undo")
    mine = next(name for name in client[LIBRARY].list_collection_names() if name.startswith("replaced.m"))
    name = mine.replace("replaced.", "restored.")
    client[LIBRARY][name].insert_one({"_id": "somebody's"})
    refused(library, "restore-undo", f"only one of each may be there: {mine} and {name}")
    client[LIBRARY][name].drop()
    succeed(library, "restore-undo", user=ADMIN)
    assert live(client) == restored

"""Single records come back from a backup: what a mistake removed, and nothing that has been changed since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from archiver import Archiver
from backup_library import LIBRARY, PASSWORD, connect, contents, fill, new_key, run, succeed
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect

from app.db import operations
from app.db.accounts import users
from app.db.backups import records
from app.db.core import Actor, BadQuery, connection, get_collection
from app.db.films import posters
from app.db.likes import likes
from app.db.search import film_search
from ops.local_cluster import LocalCluster
from ops.processes import wait_for

Client = MongoClient[dict[str, Any]]
ADMIN = "cluster-admin"
POSTER = posters.Picture(b"small", b"large")


@pytest.fixture
def library(mongodb: LocalCluster) -> Iterator[LocalCluster]:
    fill(mongodb)
    connect(mongodb, ADMIN)
    posters.store("f1", POSTER, actor=Actor("", "ann"))
    yield mongodb
    connection.disconnect()
    with mongodb.client() as client:
        client.drop_database(LIBRARY)


@pytest.fixture
def put_back(library: LocalCluster, tmp_path: Path) -> Any:
    """Runs `put-back` for the backup that is made now; then connects the test again."""
    key, public = new_key(tmp_path)
    backup = succeed(library, "backup", "--to", tmp_path, "--public-key", public)

    def command(collection: str, *options: str, code: int = 0) -> str:
        arguments = ["put-back", tmp_path, backup, "--key", key, "--collection", collection, *options]
        result = run(library, *arguments, user=ADMIN)
        assert result.exit_code == code, result.output
        connect(library, ADMIN)
        return result.output

    connect(library, ADMIN)
    return command


def titles(words: str) -> set[str]:
    return {film["title"] for film in film_search.search_movies(words).rows}


def test_what_was_deleted_comes_back_and_what_was_changed_stays(library: LocalCluster, put_back: Any) -> None:
    operations.delete_document("movies", "f1", cascade=True)
    operations.delete_document("movies", "f7", cascade=True)
    operations.update_document("movies", "f2", {"title": "Changed", "runtime": 99})
    with library.client() as client:
        before = contents(client)
    wanted = ("--where", "_id in f1,f2,f3")

    said = put_back("movies", *wanted, "--dry-run", code=3)
    assert "Would be: 1 conflict, 1 put back, 1 unchanged" in said
    with library.client() as client:
        assert {name: content for name, content in contents(client).items() if "restored." not in name} == before

    said = put_back("movies", *wanted, code=3)
    assert "1 conflict, 1 put back, 1 unchanged" in said
    assert "put back: f1" in said
    assert "conflict: f2: runtime, title" in said
    film = operations.find_document("movies", "f1")
    assert film["title"] == "Film 1"
    assert posters.read("f1", "small") == (POSTER.version, b"small")
    assert film["poster"] == POSTER.version
    assert "Film 1" in titles("film 1")
    assert get_collection("movie_ids").find_one({"_id": "f1"}) is not None
    assert get_collection("movies").find_one({"_id": "f7"}) is None, "it wasn't asked for"
    assert operations.find_document("movies", "f2")["title"] == "Changed"
    assert get_collection("audit_log").find_one({"action": "restore", "collection": "movies"})["count"] == 1  # type: ignore[index]
    assert not [name for name in get_collection("x").database.list_collection_names() if name.startswith("restored.")]

    # Its credit and its like are records of their own.
    assert "1 put back" in put_back("credits", "--where", "movie_id eq f1")
    assert "1 put back" in put_back("user_interactions", "--where", "movie_id eq f1")
    ada = users.authenticate("ada", PASSWORD)
    assert ada is not None
    assert "f1" in likes.liked(ada["_id"])
    assert get_collection("people").find_one({"name": "Ann 1"}) is not None


def test_a_conflict_is_replaced_when_told(put_back: Any) -> None:
    operations.update_document("movies", "f2", {"title": "Changed", "runtime": 99})
    get_collection("search_words").delete_many({})
    said = put_back("movies", "--where", "_id in f2,f3", "--replace")
    assert get_collection("search_words").find_one() is not None, "its words aren't known to searches"
    assert "replaced: f2: runtime, title" in said
    film = operations.find_document("movies", "f2")
    assert (film["title"], film.get("runtime")) == ("Film 2", None)
    assert ("Film 2" in titles("film 2"), titles("changed")) == (True, set())
    assert "2 unchanged" in put_back("movies", "--where", "_id in f2,f3", "--replace")


def test_what_cannot_come_back_is_said(put_back: Any) -> None:
    operations.delete_document("movies", "f1", cascade=True)
    said = put_back("credits", "--where", "movie_id eq f1", code=3)
    assert "there is no such film" in said
    ada = users.authenticate("ada", PASSWORD)
    assert ada is not None
    users.delete_user(ada["_id"], cascade=True)
    users.sign_up("ada", "violet anchor ridge 7")
    assert "exists already" in put_back("users", "--where", "username eq ada", code=3)
    assert users.authenticate("ada", PASSWORD) is None


def test_a_deleted_account_and_films_by_an_extended_json_filter(put_back: Any) -> None:
    ada = users.authenticate("ada", PASSWORD)
    assert ada is not None
    users.delete_user(ada["_id"], cascade=True)
    assert "1 put back" in put_back("users", "--where", "username eq ada")
    assert users.authenticate("ada", PASSWORD) is not None, "with its password"
    for number in (1, 2, 3):
        operations.delete_document("movies", f"f{number}", cascade=True)
    found = '{"$or": [{"_id": {"$regex": "^f[12]$"}}, {"release_year": {"$gt": {"$numberInt": "2999"}}}]}'
    assert "2 put back" in put_back("movies", "--filter", found)
    assert get_collection("movies").find_one({"_id": "f3"}) is None


def test_records_as_they_were_at_a_second(library: LocalCluster, tmp_path: Path) -> None:
    key, public = new_key(tmp_path)
    with Archiver(library, tmp_path / "store", public) as archiver:
        archiver.wait()
        operations.update_document("movies", "f2", {"title": "Changed"})
        second = datetime.now(UTC).replace(microsecond=0)
        wait_for("the next second", lambda: datetime.now(UTC) >= second + timedelta(seconds=1))
        operations.delete_document("movies", "f2", cascade=True)
        archiver.wait()
    shown = run(None, "changes", tmp_path / "store", "latest", "--key", key, "--seconds").output.splitlines()
    deleted = [line for line in shown if " delete" in line]
    assert deleted, shown
    assert min(deleted) > f"{second:%Y-%m-%dT%H:%M:%SZ}", "the damage begins after the second to restore"
    assert [line for line in shown if line.startswith(f"{second:%Y-%m-%dT%H:%M:}")], shown
    wanted = ["--collection", "movies", "--where", "_id eq f2", "--at", second.isoformat()]
    said = succeed(library, "put-back", tmp_path / "store", "latest", "--key", key, *wanted, user=ADMIN)
    assert "1 put back" in said
    connect(library, ADMIN)
    assert operations.find_document("movies", "f2")["title"] == "Changed"


@pytest.mark.parametrize(
    "wrong",
    [
        "{",
        "[]",
        '{"titel": "x"}',
        '{"$where": "true"}',
        '{"title": {"$function": {}}}',
        '{"$and": []}',
        '{"$or": {"title": "x"}}',
        '{"$expr": {"$eq": [1, 1]}}',
        '{"genres": [{"$where": "true"}]}',
    ],
)
def test_a_wrong_filter_is_refused(wrong: str) -> None:
    with pytest.raises(BadQuery):
        records.query("movies", [], wrong)


def test_a_whole_restore_under_way_is_not_mixed_up_with_records(
    library: LocalCluster, put_back: Any, tmp_path: Path
) -> None:
    key = tmp_path / "backup.key"
    succeed(library, "restore", tmp_path, "latest", "--key", key, "--beside", user=ADMIN)
    assert "is unfinished" in put_back("movies", code=1)
    succeed(library, "restore-cleanup", user=ADMIN)
    assert "60 unchanged" in put_back("movies")


def test_what_is_left_of_an_interrupted_cleanup_is_not_searched(
    library: LocalCluster, put_back: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop = Collection.drop

    def cut(collection: Collection[dict[str, Any]]) -> None:
        if collection.name == "restored.posters":
            raise AutoReconnect
        drop(collection)

    with monkeypatch.context() as patch:
        patch.setattr(Collection, "drop", cut)
        put_back("movies", code=1)
    assert "restore-cleanup" in put_back("movies", code=1)
    succeed(library, "restore-cleanup", user=ADMIN)
    assert "60 unchanged" in put_back("movies")

"""Bulk jobs on two shards: films that change shards in one step, deletions and undo across both."""

from collections.abc import Iterator

import pytest
from bulk_jobs import ADA, ALL, run, undone
from pymongo.database import Database

from app.db.core import Row, connection
from app.db.jobs import Change, bulk_steps, queue
from app.db.records import bulk
from app.db.schema import create_indexes, install_validators
from ops.local_cluster import LocalCluster

COUNT = 40
EMPTIED = ("movies", "movie_ids", "credits", queue.JOBS, "audit_log", "audit_changes")


@pytest.fixture
def router(cluster: LocalCluster) -> Iterator[Database[Row]]:
    """The films with a credit each, behind the router; app.db connected as the admin app is."""
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-deploy"), database="movie_library"))
    install_validators()
    create_indexes()
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-admin"), database="movie_library"))
    bulk.load("movies", enumerate({"_id": f"f{n:02}", "title": f"Alpha {n}", "type": "MOVIE"} for n in range(COUNT)))
    bulk.load("credits", enumerate({"movie_id": f"f{n:02}", "name": "Ann", "role": "ACTOR"} for n in range(COUNT)))
    with cluster.client() as client:
        yield client.movie_library
        for name in EMPTIED:
            client.movie_library[name].delete_many({})
    connection.disconnect()


def films_by_shard(cluster: LocalCluster) -> list[set[tuple[str, str]]]:
    """(_id, title) of the films on each shard, asked past the router."""
    found = []
    for name in ("shard1", "shard2"):
        with cluster.shard_client(name) as client:
            found.append({(film["_id"], film["title"]) for film in client.movie_library.movies.find()})
    return found


def test_bulk_edits_of_titles_move_films_and_undo_moves_them_back(
    cluster: LocalCluster, router: Database[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_steps, "BATCH", 15)
    before = films_by_shard(cluster)
    assert min(map(len, before)) > 0
    renamed = run("edit", ALL, Change("title", "set", "One title, one shard"))
    assert (renamed["state"], renamed["changed"], renamed["failed"]) == ("done", COUNT, 0), renamed
    assert sorted(map(len, films_by_shard(cluster))) == [0, COUNT]
    assert undone(renamed)["changed"] == COUNT
    assert films_by_shard(cluster) == before

    gone = run("delete", ALL)
    assert (gone["state"], gone["changed"]) == ("done", COUNT), gone
    assert films_by_shard(cluster) == [set(), set()]
    assert [router[name].count_documents({}) for name in ("credits", "movie_ids")] == [0, 0]
    back = undone(gone)
    assert (back["changed"], back["failed"]) == (2 * COUNT, 0), back
    assert films_by_shard(cluster) == before
    assert router.credits.count_documents({}) == COUNT
    assert {entry["username"] for entry in router.audit_log.find()} == {ADA.username}

"""What only a sharded cluster can show: one film for one _id on all shards together, and films that change shards."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo.database import Database

from app.db import bulk, connection, operations, schema
from app.db.bulk import Counts
from app.db.errors import Duplicate
from ops.local_cluster import LocalCluster

Raw = Database[dict[str, Any]]
COUNT = 300  # titles enough that both shards get many


@pytest.fixture
def sharded(cluster: LocalCluster) -> Iterator[dict[str, Raw]]:
    """app.db connected as the admin app is, and a client of each shard by itself."""
    connection.connect(connection.DatabaseConfig(cluster.uri("film-library-admin"), database="movie_library"))
    schema.install_validators()
    schema.create_indexes()
    for name in ("movies", "credits", "movie_ids"):
        connection.get_collection(name).delete_many({})
    shards = {name: cluster.shard_client(name) for name in ("shard1", "shard2")}
    yield {name: client.movie_library for name, client in shards.items()}
    for client in shards.values():
        client.close()
    connection.disconnect()


def films(title: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number in range(COUNT):
        yield number, {"_id": f"f{number}", "title": f"{title} {number}", "type": "MOVIE"}


def ids(shard: Raw) -> set[str]:
    return {film["_id"] for film in shard.movies.find({}, {"_id": 1})}


def test_two_imports_that_race_for_the_same_ids_leave_one_film_each(sharded: dict[str, Raw]) -> None:
    barrier, results = threading.Barrier(2), []

    def load(title: str) -> None:
        barrier.wait()
        results.append(bulk.load("movies", films(title)))

    threads = [threading.Thread(target=load, args=(title,)) for title in ("Alpha", "Beta")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = (ids(shard) for shard in sharded.values())
    assert min(len(first), len(second)) > COUNT / 4
    assert not first & second
    assert len(first | second) == COUNT
    assert sum(results, Counts()) == Counts(inserted=COUNT, rejected=COUNT)


@pytest.mark.usefixtures("sharded")
def test_an_id_that_is_taken_on_another_shard_is_taken() -> None:
    bulk.load("movies", films("Alpha"))
    for number in range(20):
        with pytest.raises(Duplicate):
            operations.insert_one("movies", {"_id": f"f{number}", "title": f"Other {number}", "type": "MOVIE"})


def test_a_new_title_moves_the_film_to_its_shard(sharded: dict[str, Raw]) -> None:
    bulk.load("movies", films("Alpha"))
    before = {name: ids(shard) for name, shard in sharded.items()}
    for number in range(20):
        operations.update_document("movies", f"f{number}", {"title": f"Moved {number}"})
    after = {name: ids(shard) for name, shard in sharded.items()}
    moved = [film for film in before["shard1"] if film in after["shard2"]]
    assert moved
    assert len(after["shard1"]) + len(after["shard2"]) == COUNT
    assert operations.find_document("movies", "f0")["title"] == "Moved 0"

"""A session's snapshot: all that it reads is of one moment, over shards and collections, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ops.local_cluster import LocalCluster
from ops.processes import wait_for

Document = dict[str, Any]
Client = MongoClient[Document]
Films = Collection[Document]

COUNT = 300
SNAPSHOT_TOO_OLD = 239


@pytest.fixture
def films(sharded: Films) -> Films:
    sharded.insert_many([{"_id": number, "key": number} for number in range(COUNT)], ordered=False)
    return sharded


@pytest.fixture
def likes(router: Client) -> Iterator[Films]:
    """A collection that isn't sharded."""
    collection = router["standin_tests"]["likes"]
    collection.insert_one({"_id": 1})
    yield collection
    collection.drop()


def test_one_moment_over_shards_and_collections(router: Client, films: Films, likes: Films) -> None:
    with router.start_session(snapshot=True) as session:
        cursor = films.find({}, session=session, batch_size=20)
        seen = [next(cursor)["_id"]]
        films.insert_one({"_id": "late", "key": "late"})
        films.update_many({}, {"$set": {"changed": True}})
        films.delete_many({"_id": {"$lt": 100}})
        likes.insert_one({"_id": "late"})
        rest = list(cursor)
        seen += [film["_id"] for film in rest]
        assert sorted(seen) == list(range(COUNT))
        assert not [film for film in rest if "changed" in film]
        assert [like["_id"] for like in likes.find({}, session=session)] == [1]
        assert films.count_documents({}, session=session) == COUNT
        assert len(list(films.find({"key": {"$lt": 10}}, session=session, sort=[("key", -1)]))) == 10
    assert films.count_documents({}) == COUNT - 100 + 1


def test_a_shard_that_has_given_its_chunks_away_is_still_asked(router: Client, films: Films) -> None:
    with router.start_session(snapshot=True) as session:
        assert films.find_one({"key": 1}, session=session) is not None
        uuid = router.config.collections.find_one({"_id": films.full_name})["uuid"]  # type: ignore[index]
        for chunk in router.config.chunks.find({"uuid": uuid, "shard": "shard1"}):
            router.admin.command("moveChunk", films.full_name, bounds=[chunk["min"], chunk["max"]], to="shard2")
        films.delete_many({"_id": {"$gte": 50}})
        assert sorted(film["_id"] for film in films.find({}, session=session)) == list(range(COUNT))
        assert [films.find_one({"key": key}, session=session) is not None for key in range(20)] == [True] * 20
        assert films.count_documents({}, session=session) == COUNT
    assert sorted(film["_id"] for film in films.find({})) == list(range(50))


def test_a_snapshot_of_which_the_history_is_gone_is_an_error(
    small_cluster: LocalCluster, router: Client, films: Films
) -> None:
    shards = [replica_set.name for replica_set in small_cluster.replica_sets[1:]]

    def keep(seconds: int) -> None:
        for name in shards:
            with small_cluster.shard_client(name) as client:
                client.admin.command("setParameter", 1, minSnapshotHistoryWindowInSeconds=seconds)

    def refused() -> OperationFailure | None:
        films.update_many({}, {"$inc": {"n": 1}})
        try:
            films.count_documents({}, session=session)
        except OperationFailure as error:
            return error
        return None

    try:
        with router.start_session(snapshot=True) as session:
            films.find_one({"key": 1}, session=session)
            keep(0)
            assert wait_for("a refusal", refused).code == SNAPSHOT_TOO_OLD
    finally:
        keep(300)

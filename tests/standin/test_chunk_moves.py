"""While chunks move, nothing is lost, duplicated or missed, even by a router with a stale chunk table."""

from __future__ import annotations

import random
import threading
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from ops.processes import wait_for

Document = dict[str, Any]
Client = MongoClient[Document]
Films = Collection[Document]

COUNT = 2000
MOVES = 4


@pytest.fixture
def filled(sharded: Films) -> Films:
    sharded.insert_many([{"_id": number, "key": number, "n": 0} for number in range(COUNT)], ordered=False)
    return sharded


def chunks(router: Client, films: Films) -> list[Document]:
    entry = router["config"]["collections"].find_one({"_id": films.full_name})
    assert entry is not None
    return list(router["config"]["chunks"].find({"uuid": entry["uuid"]}, sort=[("min", 1)]))


def move(router: Client, films: Films, chunk: Document) -> None:
    target = "shard2" if chunk["shard"] == "shard1" else "shard1"
    # Otherwise the chunk's orphans stay for 900 s, and it couldn't move back before.
    bounds = [chunk["min"], chunk["max"]]
    router.admin.command("moveChunk", films.full_name, bounds=bounds, to=target, _waitForDelete=True)


@pytest.mark.thorough
def test_reads_and_writes_while_chunks_move(router: Client, filled: Films) -> None:
    finished = threading.Event()
    wrong: list[Any] = []
    increments = [0, 0]

    def work(worker: int) -> None:
        randoms = random.Random(worker)
        while not finished.is_set():
            key = randoms.randrange(COUNT)
            by_key = filled.update_one({"key": key}, {"$inc": {"n": 1}}).modified_count
            by_id = filled.update_one({"_id": key}, {"$inc": {"n": 1}}).modified_count
            increments[worker] += by_key + by_id
            found = filled.find_one({"key": key})
            seen = (
                by_key,
                by_id,
                found is not None,
                filled.count_documents({}),
                len(list(filled.find(sort=[("n", 1)]))),
            )
            # By _id alone, every shard is asked, without a version, as by mongos before 8.0: a document that moves
            # between the two answers may be missed, but never changed twice.
            if seen not in ((1, 1, True, COUNT, COUNT), (1, 0, True, COUNT, COUNT)):
                wrong.append((key, seen))

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(2)]
    for thread in workers:
        thread.start()
    for number in range(MOVES):
        enough = sum(increments) + 20
        wait_for("increments", lambda: sum(increments) > enough or wrong)  # noqa: B023
        move(router, filled, chunks(router, filled)[number % 4])
    finished.set()
    for thread in workers:
        thread.join()
    assert not wrong
    assert sum(increments) > 0
    assert sum(film["n"] for film in filled.find()) == sum(increments)


@pytest.mark.thorough
def test_a_router_with_a_stale_chunk_table(router: Client, second_router: Client, filled: Films) -> None:
    """The second router learns about the moves only from the shards' refusals."""
    other = second_router[filled.database.name][filled.name]
    assert other.count_documents({}) == COUNT  # loads the table
    for chunk in chunks(router, filled)[1:3]:  # one on each shard
        move(router, filled, chunk)
    assert len(list(other.find(sort=[("key", 1)]))) == COUNT
    for key in range(0, COUNT, 100):
        assert other.find_one({"key": key}) is not None
    for chunk in chunks(router, filled)[1:3]:
        move(router, filled, chunk)
    added = [{"_id": number, "key": number} for number in range(COUNT, COUNT + 50)]
    assert len(other.insert_many(added).inserted_ids) == 50
    assert other.update_many({}, {"$inc": {"n": 1}}).modified_count == COUNT + 50
    assert other.delete_many({"_id": {"$gte": COUNT}}).deleted_count == 50
    assert filled.count_documents({"n": 1}) == COUNT


def test_a_collection_dropped_and_sharded_again_elsewhere(router: Client, second_router: Client, filled: Films) -> None:
    other = second_router[filled.database.name][filled.name]
    assert other.find_one({"key": 1}) is not None
    filled.drop()
    router.admin.command("shardCollection", filled.full_name, key={"other": "hashed"})
    other.insert_many([{"_id": number, "other": number} for number in range(100)])
    assert other.count_documents({}) == filled.count_documents({}) == 100

"""Updates of the shard key, which move documents between shards in a transaction; and transactions in general."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from bson import Int64
from pymongo import MongoClient, ReturnDocument, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure
from pymongo.read_concern import ReadConcern

from ops.local_cluster import LocalCluster

Document = dict[str, Any]
Films = Collection[Document]
Holders = Callable[[Films, Any], list[str]]

KEYS = 40


@pytest.fixture
def moving(sharded: Films, holders: Holders) -> tuple[int, int]:
    """Two keys of different shards; the film `_id: "film"` has the first."""
    sharded.insert_many([{"_id": key, "key": key} for key in range(KEYS)], ordered=False)
    first = holders(sharded, 0)
    other = next(key for key in range(KEYS) if holders(sharded, key) != first)
    sharded.delete_many({})
    sharded.insert_one({"_id": "film", "key": 0, "title": "before"})
    return 0, other


def test_retryable_update(sharded: Films, holders: Holders, moving: tuple[int, int]) -> None:
    old, new = moving
    before = holders(sharded, "film")
    result = sharded.update_one({"_id": "film", "key": old}, {"$set": {"key": new, "title": "after"}})
    assert (result.matched_count, result.modified_count) == (1, 1)
    after = holders(sharded, "film")
    assert len(after) == 1
    assert after != before
    assert sharded.find_one({"key": new}) == {"_id": "film", "key": new, "title": "after"}


def test_find_and_modify_and_replace(sharded: Films, holders: Holders, moving: tuple[int, int]) -> None:
    old, new = moving
    there = sharded.find_one_and_update(
        {"key": old, "_id": "film"}, {"$set": {"key": new}}, return_document=ReturnDocument.AFTER
    )
    assert there == {"_id": "film", "key": new, "title": "before"}
    back = sharded.find_one_and_update({"key": new, "_id": "film"}, {"$set": {"key": old}})
    assert back == there
    sharded.replace_one({"key": old, "_id": "film"}, {"key": new})
    assert list(sharded.find()) == [{"_id": "film", "key": new}]
    assert len(holders(sharded, "film")) == 1


def test_upsert_that_lands_elsewhere(sharded: Films, moving: tuple[int, int]) -> None:
    old, new = moving
    result = sharded.update_one({"key": old, "_id": "new"}, {"$set": {"key": new}}, upsert=True)
    assert result.upserted_id == "new"
    assert sharded.find_one({"key": new}) == {"_id": "new", "key": new}


def test_refused_without_transaction_or_retry(
    small_cluster: LocalCluster, sharded: Films, moving: tuple[int, int]
) -> None:
    old, new = moving
    client: MongoClient[Document] = MongoClient(small_cluster.uri(), retryWrites=False)
    with client, pytest.raises(OperationFailure, match="retryWrites: true") as caught:
        client[sharded.database.name][sharded.name].update_one({"key": old, "_id": "film"}, {"$set": {"key": new}})
    assert caught.value.code == 20
    assert sharded.count_documents({"key": old}) == 1


def test_refused_in_a_batch(sharded: Films, moving: tuple[int, int]) -> None:
    """Such an update must be alone in its batch, as with mongos."""
    old, new = moving
    move = UpdateOne({"key": old, "_id": "film"}, {"$set": {"key": new}})
    with pytest.raises((BulkWriteError, OperationFailure), match="batch of size 1"):
        sharded.bulk_write([move, UpdateOne({"key": new}, {"$set": {"x": 1}})])
    assert sharded.count_documents({"key": old}) == 1


def test_repeated_after_a_lost_answer(small_cluster: LocalCluster, sharded: Films, moving: tuple[int, int]) -> None:
    """A driver that lost the reply sends the same numbers again; the shards refuse to do it twice."""
    old, new = moving
    command = {
        "update": sharded.name,
        "updates": [{"q": {"key": old, "_id": "film"}, "u": {"$set": {"key": new}, "$inc": {"n": 1}}}],
        "txnNumber": Int64(1000),
    }
    # A separate client: PyMongo reuses sessions and doesn't know this number.
    with small_cluster.client() as client, client.start_session() as session:
        assert client[sharded.database.name].command(command, session=session)["nModified"] == 1
        sharded.update_one({"key": new, "_id": "film"}, {"$set": {"key": old}})
        reply = client[sharded.database.name].command(command, session=session)
    assert reply["n"] == 0
    assert [error["code"] for error in reply["writeErrors"]] == [217]  # IncompleteTransactionHistory
    assert sharded.find_one({"_id": "film"}) == {"_id": "film", "key": old, "title": "before", "n": 1}


def test_snapshots_always_have_the_film_once(
    router: MongoClient[Document], sharded: Films, moving: tuple[int, int]
) -> None:
    """Snapshot readers see exactly one film at any time while it moves back and forth."""
    old, new = moving
    finished = threading.Event()
    counts: list[int] = []

    def watch() -> None:
        snapshot = sharded.with_options(read_concern=ReadConcern("snapshot"))
        while not finished.is_set() or not counts:
            counts.append(len(list(snapshot.find({"_id": "film"}))))

    readers = [threading.Thread(target=watch) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(30):
        sharded.update_one({"_id": "film", "key": old}, {"$set": {"key": new}})
        old, new = new, old
    finished.set()
    for reader in readers:
        reader.join()
    assert set(counts) == {1}


def test_concurrent_moves(sharded: Films, holders: Holders, moving: tuple[int, int]) -> None:
    """Four threads move the same film; each move is done once or finds nothing to do, and one film is left."""
    old, new = moving
    moves: list[int] = []
    failures: list[str] = []

    def mover(origin: int, target: int) -> None:
        for _ in range(15):
            try:
                result = sharded.update_one({"_id": "film", "key": origin}, {"$set": {"key": target}, "$inc": {"n": 1}})
            except OperationFailure as error:
                failures.append(str(error))
            else:
                moves.append(result.modified_count)

    movers = [threading.Thread(target=mover, args=pair) for pair in ((old, new), (new, old), (old, new), (new, old))]
    for thread in movers:
        thread.start()
    for thread in movers:
        thread.join()
    assert len(holders(sharded, "film")) == 1
    film = sharded.find_one({"_id": "film"})
    assert film is not None
    # A move that still conflicts after all attempts is an error and isn't done.
    assert film["n"] == sum(moves) > 0
    assert all("conflict" in failure.lower() for failure in failures)


def test_in_a_clients_transaction(
    router: MongoClient[Document], sharded: Films, holders: Holders, moving: tuple[int, int]
) -> None:
    old, new = moving
    before = holders(sharded, "film")
    with router.start_session() as session:
        session.start_transaction()
        sharded.update_one({"_id": "film", "key": old}, {"$set": {"key": new}}, session=session)
        assert [film["key"] for film in sharded.find({"_id": "film"}, session=session)] == [new]
        assert [film["key"] for film in sharded.find({"_id": "film"})] == [old]
        session.abort_transaction()
        assert holders(sharded, "film") == before
        with session.start_transaction():
            sharded.update_one({"_id": "film", "key": old}, {"$set": {"key": new}}, session=session)
        assert holders(sharded, "film") != before


def test_transaction_over_shards(router: MongoClient[Document], sharded: Films, holders: Holders) -> None:
    """Payments between accounts on both shards; the sum is the same in every snapshot."""
    accounts = range(KEYS)
    sharded.insert_many([{"_id": number, "key": number, "money": 100} for number in accounts], ordered=False)
    # One shard's accounts, then the other's: without a common snapshot, payments in between would show.
    by_shard = sorted(accounts, key=lambda number: holders(sharded, number))
    sums: list[int] = []
    finished = threading.Event()

    def watch() -> None:
        while not finished.is_set():
            with router.start_session() as session, session.start_transaction(read_concern=ReadConcern("snapshot")):
                found = [sharded.find_one({"key": number}, session=session) for number in by_shard]
                sums.append(sum(account["money"] for account in found if account))

    def pay(start: int) -> None:
        for step in range(15):
            giver, taker = (start + step) % KEYS, (start + 7 * step + 1) % KEYS

            def transfer(session: Any) -> None:
                sharded.update_one({"key": giver}, {"$inc": {"money": -5}}, session=session)  # noqa: B023
                sharded.update_one({"key": taker}, {"$inc": {"money": 5}}, session=session)  # noqa: B023

            with router.start_session() as session:
                session.with_transaction(transfer)

    watcher = threading.Thread(target=watch)
    payers = [threading.Thread(target=pay, args=(start,)) for start in (0, 13, 26)]
    for thread in (watcher, *payers):
        thread.start()
    for thread in payers:
        thread.join()
    finished.set()
    watcher.join()
    assert sums
    assert set(sums) == {100 * KEYS}
    assert sum(account["money"] for account in sharded.find()) == 100 * KEYS


def test_a_failed_statement_ends_the_transaction(router: MongoClient[Document], sharded: Films) -> None:
    sharded.insert_one({"_id": 1, "key": 1})
    with router.start_session() as session:
        session.start_transaction()
        sharded.insert_one({"_id": 2, "key": 2}, session=session)
        with pytest.raises(OperationFailure):
            sharded.insert_one({"_id": 1, "key": 1}, session=session)
        with pytest.raises(OperationFailure) as caught:
            session.commit_transaction()
        assert caught.value.code == 251
    assert sharded.count_documents({}) == 1


def test_ddl_in_a_transaction_is_refused(router: MongoClient[Document], sharded: Films) -> None:
    with router.start_session() as session, pytest.raises(OperationFailure) as caught, session.start_transaction():
        sharded.database.command("drop", sharded.name, session=session)
    assert caught.value.code == 263

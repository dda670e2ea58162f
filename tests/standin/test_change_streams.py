"""A database's change stream over shards: every change once, in order, and to be resumed after any event."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.change_stream import DatabaseChangeStream
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from ops.local_cluster import LocalCluster
from ops.processes import START_TIMEOUT, wait_for

Document = dict[str, Any]
Client = MongoClient[Document]
Films = Collection[Document]
Stream = DatabaseChangeStream[Document]

DATABASE = "watched"


@pytest.fixture
def films(router: Client) -> Iterator[Films]:
    """An empty collection on both shards, in a database of its own."""
    films = router[DATABASE].films
    router.admin.command("shardCollection", films.full_name, key={"key": "hashed"})
    yield films
    router.drop_database(DATABASE)


@pytest.fixture
def stream(films: Films) -> Iterator[Stream]:
    with films.database.watch(max_await_time_ms=500) as stream:
        yield stream


def take(stream: Stream, count: int) -> list[Document]:
    """The next events."""
    events: list[Document] = []
    deadline = time.monotonic() + START_TIMEOUT
    while len(events) < count:
        if (event := stream.try_next()) is not None:
            events.append(event)
        assert time.monotonic() < deadline, f"{len(events)} of {count} events came"
    return events


def move(films: Films, film: Document, key: int) -> None:
    """Change the shard key's value, which may move the film."""
    query, change = {"_id": film["_id"], "key": film["key"]}, {"$set": {"key": key}}
    with films.database.client.start_session() as session:
        session.with_transaction(lambda session: films.update_one(query, change, session=session))
    film["key"] = key


def applied(events: list[Document]) -> dict[Any, Document]:
    """The documents after these events.

    A film that moves is inserted on one shard and deleted on the other; either can be first.
    """
    found: dict[Any, Document] = {}
    for event in events:
        identity, key = event["documentKey"]["_id"], event["documentKey"]["key"]
        if event["operationType"] == "insert":
            found[identity] = dict(event["fullDocument"])
        elif event["operationType"] == "update":
            found[identity].update(event["updateDescription"]["updatedFields"])
        elif found[identity]["key"] == key:
            del found[identity]
    return found


def test_every_change_comes_once_and_in_order(films: Films, stream: Stream) -> None:
    """Writers side by side; then another stream is resumed after each tenth event, and gives the rest."""

    def write(number: int) -> None:
        choices, own = random.Random(number), []
        for step in range(20):
            own.append({"_id": f"{number} {step}", "key": choices.randrange(1000)})
            films.insert_one(own[-1])
            move(films, choices.choice(own), choices.randrange(1000))
            if step % 5 == 4:
                films.delete_one({"_id": own.pop(0)["_id"]})

    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    events = take(stream, 50)
    for writer in writers:
        writer.join()
    films.insert_one({"_id": "last", "key": 0})
    while events[-1]["documentKey"]["_id"] != "last":
        events += take(stream, 1)
    tokens = [event["_id"]["_data"] for event in events]
    assert tokens == sorted(set(tokens))
    assert applied(events) == {film["_id"]: film for film in films.find()}
    kinds = [event["operationType"] for event in events]
    assert kinds.count("insert") > 60, "no film moved"
    for place in range(0, len(events) - 1, 10):
        with films.database.watch(resume_after=events[place]["_id"]) as resumed:
            assert take(resumed, min(5, len(events) - place - 1)) == events[place + 1 : place + 6]


def test_a_stream_that_starts_at_a_snapshots_moment_misses_nothing(films: Films) -> None:
    films.insert_many([{"_id": number, "key": number} for number in range(50)])
    with films.database.client.start_session(snapshot=True) as session:
        before = list(films.find({}, session=session))
        moment = session._snapshot_time
    films.update_many({}, {"$set": {"seen": True}})
    films.insert_one({"_id": "late", "key": 1})
    events = [{"operationType": "insert", "fullDocument": film, "documentKey": film} for film in before]
    with films.database.watch(start_at_operation_time=moment, max_await_time_ms=500) as stream:
        while events[-1]["documentKey"]["_id"] != "late":
            events += take(stream, 1)
    assert applied(events) == {film["_id"]: film for film in films.find()}


def test_a_quiet_stream_waits_and_its_token_moves_on(films: Films, stream: Stream) -> None:
    started = time.monotonic()
    assert stream.try_next() is None
    assert time.monotonic() - started > 0.4
    token = stream.resume_token
    films.insert_one({"_id": 1, "key": 1})
    assert take(stream, 1)[0]["fullDocument"] == {"_id": 1, "key": 1}
    assert token is not None
    with films.database.watch(resume_after=token) as resumed:  # a token that is no event's
        assert take(resumed, 1)[0]["documentKey"] == {"_id": 1, "key": 1}


def test_it_goes_on_after_the_router_has_been_restarted(
    small_cluster: LocalCluster, films: Films, stream: Stream
) -> None:
    films.insert_one({"_id": 1, "key": 1})
    assert take(stream, 1)[0]["documentKey"]["_id"] == 1
    films.insert_many([{"_id": number, "key": number} for number in range(2, 30)])
    assert small_cluster.router is not None
    small_cluster.router.stop()
    small_cluster.router.start()
    small_cluster.router.wait_until_listening()
    films.insert_one({"_id": 30, "key": 30})
    assert sorted(event["documentKey"]["_id"] for event in take(stream, 29)) == list(range(2, 31))


def test_chunks_that_move_change_nothing(router: Client, films: Films, stream: Stream) -> None:
    films.insert_many([{"_id": number, "key": number} for number in range(30)])
    uuid = router.config.collections.find_one({"_id": films.full_name})["uuid"]  # type: ignore[index]
    for chunk in list(router.config.chunks.find({"uuid": uuid, "shard": "shard1"})):
        router.admin.command("moveChunk", films.full_name, bounds=[chunk["min"], chunk["max"]], to="shard2")
    films.update_many({}, {"$set": {"moved": True}})
    kinds = [event["operationType"] for event in take(stream, 60)]
    assert sorted(kinds) == ["insert"] * 30 + ["update"] * 30
    assert stream.try_next() is None


def test_stages_look_at_events(films: Films) -> None:
    match = [{"$match": {"ns.coll": {"$not": {"$regex": "^other"}}}}, {"$project": {"documentKey": 1}}]
    with films.database.watch(match, max_await_time_ms=500) as stream:
        films.database["other.films"].insert_one({"_id": 1})
        films.insert_one({"_id": 2, "key": 2})
        (event,) = take(stream, 1)
    assert (event["documentKey"], set(event)) == ({"_id": 2, "key": 2}, {"_id", "documentKey"})


def test_it_ends_when_the_database_is_dropped(router: Client, films: Films, stream: Stream) -> None:
    films.insert_one({"_id": 1, "key": 1})
    router.drop_database(DATABASE)
    events = []
    while stream.alive:
        events += [event for event in [stream.try_next()] if event is not None]
    kinds = [event["operationType"] for event in events]
    assert list(dict.fromkeys(kinds)) == ["insert", "drop", "dropDatabase", "invalidate"]
    with pytest.raises(OperationFailure, match="invalidate notification") as refused:
        films.database.watch(resume_after=events[-1]["_id"])
    assert refused.value.code == 260
    with films.database.watch(start_after=events[-1]["_id"], max_await_time_ms=100) as stream_after:
        assert stream_after.try_next() is None


def test_what_is_gone_or_never_was_is_an_error(films: Films, stream: Stream) -> None:
    films.insert_many([{"_id": number, "key": number} for number in range(4)])
    token = take(stream, 2)[1]["_id"]["_data"]
    assert failure(films, resume_after={"_data": token.replace("2C", "2D", 1)}) == 280
    assert failure(films, resume_after={"_data": "nonsense"}) == 260
    assert failure(films, full_document_before_change="required") == 115
    with pytest.raises(OperationFailure) as refused, films.watch():
        pass
    assert refused.value.code == 115


def failure(films: Films, **options: Any) -> int | None:
    films.insert_one({"key": 1})
    with pytest.raises(OperationFailure) as failed:
        open_and_read(films, **options)
    return failed.value.code


def open_and_read(films: Films, **options: Any) -> None:
    with films.database.watch(max_await_time_ms=500, **options) as stream:
        take(stream, 1)


def test_a_closed_stream_leaves_no_cursor_on_a_shard(small_cluster: LocalCluster, films: Films) -> None:
    with small_cluster.shard_client("shard1") as shard:

        def opened() -> int:
            status = shard.admin.command("serverStatus")
            return int(status["metrics"]["cursor"]["open"]["total"])

        before = opened()
        with films.database.watch() as stream:
            assert stream.try_next() is None
            assert opened() == before + 1
        wait_for("the cursor's end", lambda: opened() == before)


def test_it_needs_a_right_of_its_own(small_cluster: LocalCluster, router: Client) -> None:
    router.admin.command(
        "createRole",
        "reader",
        privileges=[{"resource": {"db": DATABASE, "collection": ""}, "actions": ["find"]}],
        roles=[],
    )
    router.admin.command("createUser", "reader", pwd="reader", roles=["reader"])
    try:
        with MongoClient[Document](small_cluster.uri("reader", "reader")) as client:
            with pytest.raises(OperationFailure, match="changeStream") as refused:
                client[DATABASE].watch()
            assert refused.value.code == 13
    finally:
        router.admin.command("dropUser", "reader")
        router.admin.command("dropRole", "reader")

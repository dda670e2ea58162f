"""A write without a write concern waits for a majority, as behind MongoDB's router."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymongo
import pytest
from pymongo import MongoClient, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from ops.local_cluster import LocalCluster

Document = dict[str, Any]
Write = Callable[[Collection[Document]], object]
SECONDS = 1  # how long the tests wait for an acknowledgement that can't come
ONE, JOURNALED = WriteConcern(w=1), WriteConcern(j=True)


def set_election_timeout(shard: MongoClient[Document], milliseconds: int) -> None:
    config = shard.admin.command("replSetGetConfig")["config"]
    config["settings"]["electionTimeoutMillis"] = milliseconds
    shard.admin.command("replSetReconfig", config | {"version": config["version"] + 1})


@pytest.fixture(scope="module")
def alone(replicated: LocalCluster) -> Iterator[Collection[Document]]:
    """A film on a primary whose secondaries are frozen: it can write, but a majority can't."""
    with replicated.client() as client:
        collection = client["concern"]["films"]
        collection.insert_one({"_id": "film"})
        database = client["config"]["databases"].find_one({"_id": "concern"})
        assert database is not None
        name = database["primary"]
        with replicated.shard_client(name) as shard:
            set_election_timeout(shard, 600_000)  # or the primary would step down for lack of a majority
            primary = replicated.primary(name)
            secondaries = [member for member in replicated.replica_set(name).members if member is not primary]
            for member in secondaries:
                member.freeze()
            yield collection
            for member in secondaries:
                member.send(signal.SIGCONT)
            set_election_timeout(shard, 2000)


WRITES: dict[str, Write] = {
    "insert": lambda films: films.insert_one({}),
    "insert many": lambda films: films.insert_many([{}, {}], ordered=False),
    "update": lambda films: films.update_one({"_id": "film"}, {"$inc": {"n": 1}}),
    "update all": lambda films: films.update_many({}, {"$inc": {"n": 1}}),
    "delete": lambda films: films.delete_one({"_id": "another"}),
    "find and modify": lambda films: films.find_one_and_update({"_id": "film"}, {"$inc": {"n": 1}}),
    "bulk": lambda films: films.bulk_write([UpdateOne({"_id": "film"}, {"$inc": {"n": 1}})]),
    "create index": lambda films: films.create_index("n"),
    "write concern without w": lambda films: films.with_options(write_concern=JOURNALED).insert_one({}),
}


def test_a_primary_alone_acknowledges_nothing(alone: Collection[Document]) -> None:
    def outcome(write: Write) -> str:
        try:
            with pymongo.timeout(SECONDS):
                write(alone)
        except PyMongoError as error:
            return "timeout" if error.timeout else repr(error)
        return "acknowledged"

    with ThreadPoolExecutor(len(WRITES)) as pool:
        outcomes = dict(zip(WRITES, pool.map(outcome, WRITES.values()), strict=True))
    assert outcomes == dict.fromkeys(WRITES, "timeout")


def test_w_1_needs_the_primary_only(alone: Collection[Document]) -> None:
    with pymongo.timeout(20 * SECONDS):  # on a busy machine
        alone.with_options(write_concern=ONE).insert_one({"_id": "one"})
        assert alone.find_one({"_id": "one"}) is not None

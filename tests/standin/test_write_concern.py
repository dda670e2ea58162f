"""Without a write concern of the client's own a majority acknowledges, as behind MongoDB's router."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo import UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from ops.local_cluster import LocalCluster

Document = dict[str, Any]
Write = Callable[[Collection[Document]], object]
SECONDS = 1  # how long an acknowledgement that can't come is waited for
ONE, JOURNALED = WriteConcern(w=1), WriteConcern(j=True)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, mongod: Path) -> Iterator[Collection[Document]]:
    """A film on a primary whose secondaries are frozen: it can write, but a majority can't."""
    with LocalCluster(tmp_path_factory.mktemp("alone"), mongod=mongod, shards=1) as cluster:
        with cluster.client() as client, cluster.shard_client("shard1") as shard:
            collection = client["concern"]["films"]
            collection.insert_one({"_id": "film"})
            config = shard.admin.command("replSetGetConfig")["config"]
            config["settings"]["electionTimeoutMillis"] = 600_000  # nor does it step down because nobody answers
            shard.admin.command("replSetReconfig", config | {"version": config["version"] + 1})
            primary = cluster.primary("shard1")
            for member in cluster.replica_set("shard1").members:
                if member is not primary:
                    member.send(signal.SIGSTOP)
            yield collection
        for process in cluster.processes:  # nobody needs the data, and those that are frozen can't stop in order
            process.send(signal.SIGKILL)


WRITES: dict[str, Write] = {
    "insert": lambda films: films.insert_one({}),
    "insert many": lambda films: films.insert_many([{}, {}], ordered=False),
    "update": lambda films: films.update_one({"_id": "film"}, {"$inc": {"n": 1}}),
    "update all": lambda films: films.update_many({}, {"$inc": {"n": 1}}),
    "delete": lambda films: films.delete_one({"_id": "another"}),
    "find and modify": lambda films: films.find_one_and_update({"_id": "film"}, {"$inc": {"n": 1}}),
    "bulk": lambda films: films.bulk_write([UpdateOne({"_id": "film"}, {"$inc": {"n": 1}})]),
    "create index": lambda films: films.create_index("n"),
    "what is left open is the default": lambda films: films.with_options(write_concern=JOURNALED).insert_one({}),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_one_alone_acknowledges_nothing(alone: Collection[Document], write: Write) -> None:
    with pytest.raises(PyMongoError) as refused, pymongo.timeout(SECONDS):
        write(alone)
    assert refused.value.timeout


def test_unless_the_client_asks_for_just_one(alone: Collection[Document]) -> None:
    with pymongo.timeout(SECONDS):
        alone.with_options(write_concern=ONE).insert_one({"_id": "one"})
        assert alone.find_one({"_id": "one"}) is not None

"""Clusters for the stand-in: small ones where elections don't matter, and PyMongo clients of them."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

from ops.local_cluster import LocalCluster

Document = dict[str, Any]

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def small_cluster(tmp_path_factory: pytest.TempPathFactory, mongod: Path) -> Iterator[LocalCluster]:
    """Two shards and the config servers, of one member each, behind the stand-in."""
    with LocalCluster(tmp_path_factory.mktemp("small"), mongod=mongod, members=1, test_commands=True) as cluster:
        yield cluster
        # Nobody needs the data: members that stop in order wait for each other.
        for process in cluster.processes:
            process.send(signal.SIGKILL)


@pytest.fixture(scope="session")
def router(small_cluster: LocalCluster) -> Iterator[MongoClient[Document]]:
    """The stand-in, as cluster administrator."""
    with small_cluster.client() as client:
        yield client


@pytest.fixture
def sharded(router: MongoClient[Document]) -> Iterator[Collection[Document]]:
    """An empty collection, sharded on `{key: "hashed"}`."""
    collection = router["standin_tests"][f"sharded_{next(_numbers)}"]
    router.admin.command("shardCollection", collection.full_name, key={"key": "hashed"})
    yield collection
    collection.drop()


@pytest.fixture(scope="session")
def holders(small_cluster: LocalCluster) -> Iterator[Callable[[Collection[Document], Any], list[str]]]:
    """The names of the shards that hold a document with an _id, by asking each shard itself."""
    names = [replica_set.name for replica_set in small_cluster.replica_sets[1:]]
    clients = {name: small_cluster.shard_client(name) for name in names}

    def ask(collection: Collection[Document], identity: Any) -> list[str]:
        found = []
        for name, client in clients.items():
            own = client[collection.database.name][collection.name]
            if own.find_one({"_id": identity}) is not None:
                found.append(name)
        return found

    yield ask
    for client in clients.values():
        client.close()

"""Clusters behind the stand-in, and PyMongo clients for them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from xdist.scheduler import LoadScopeScheduling

from ops.local_cluster import LocalCluster
from ops.processes import Process, free_port

Document = dict[str, Any]

_numbers = itertools.count(1)


class OneWorkerPerCluster(LoadScopeScheduling):
    """Tests of one cluster go to one worker of `pytest -n 2`, so that each cluster is started once."""

    def _split_scope(self, nodeid: str) -> str:
        return "replicated" if "test_failover" in nodeid or "test_write_concern" in nodeid else "small"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerPerCluster:
    # Not `--dist loadgroup`, which xdist 3.8 ignores with pytest 9.2.
    return OneWorkerPerCluster(config, log)


@pytest.fixture(scope="session")
def small_cluster(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """Two shards and the config servers with one member each: for tests that need no elections.

    Without TLS, which test_tls.py is about: they start routers and clients of their own.
    """
    with LocalCluster(data_directory / "small", mongod=mongod, members=1, test_commands=True, tls=None) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def replicated(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """Three members in every set: for tests that kill and freeze them, and leave all of them running."""
    with LocalCluster(data_directory / "replicated", mongod=mongod) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def router(small_cluster: LocalCluster) -> Iterator[MongoClient[Document]]:
    """The small cluster's router, as cluster administrator."""
    with small_cluster.client() as client:
        yield client


@pytest.fixture(scope="session")
def second_router(
    small_cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MongoClient[Document]]:
    port, log = free_port(), tmp_path_factory.mktemp("second-router") / "router.log"
    argv = [sys.executable, "-m", "standin", "--configdb", small_cluster.replica_sets[0].connection_string]
    argv += ["--port", str(port), "--keyFile", str(small_cluster.key_file), "--logpath", str(log)]
    process = Process("second-router", argv, port, log)
    process.start()
    try:
        process.wait_until_listening()
        password = small_cluster.passwords["cluster-admin"]
        with MongoClient("localhost", port, username="cluster-admin", password=password) as client:
            yield client
    finally:
        process.stop()


@pytest.fixture
def sharded(router: MongoClient[Document]) -> Iterator[Collection[Document]]:
    """An empty collection, sharded on `{key: "hashed"}`."""
    collection = router["standin_tests"][f"sharded_{next(_numbers)}"]
    router.admin.command("shardCollection", collection.full_name, key={"key": "hashed"})
    yield collection
    collection.drop()


@pytest.fixture(scope="session")
def holders(small_cluster: LocalCluster) -> Iterator[Callable[[Collection[Document], Any], list[str]]]:
    """Asks every shard directly: the names of those that hold a document with an _id."""
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

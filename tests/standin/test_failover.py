"""Servers that die or freeze under load: no acknowledged write is lost, and the router doesn't wait for the dead."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from pymongo.errors import ExecutionTimeout, PyMongoError

from ops.local_cluster import LocalCluster
from ops.processes import wait_for
from standin.privileges import REFRESH_SECONDS
from standin.replica_set import SELECTION_SECONDS

Document = dict[str, Any]

# Elections take 2 to 4 s here (electionTimeoutMillis 2000); the rest is for a machine that is busy with other things.
LONGEST_STALL_SECONDS = 25.0
WRITERS = 3


@pytest.fixture(scope="module")
def replicated(tmp_path_factory: pytest.TempPathFactory, mongod: Path) -> Iterator[LocalCluster]:
    """Three members in every set: a cluster of our own, since its members are killed."""
    with LocalCluster(tmp_path_factory.mktemp("replicated"), mongod=mongod) as cluster:
        yield cluster
        kill_all(cluster)


def kill_all(cluster: LocalCluster) -> None:
    """Nobody needs the data: members that stop in order wait for each other, up to 15 s each."""
    for process in cluster.processes:
        process.send(signal.SIGKILL)


class Load:
    """Writers that remember what was acknowledged, until the block ends."""

    def __init__(self, collection: Collection[Document]) -> None:
        self.collection = collection
        self.acknowledged: list[str] = []
        self.longest_stall = 0.0
        self._finished = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(number,)) for number in range(WRITERS)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._finished.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        step, last = 0, time.monotonic()
        while not self._finished.is_set():
            names = [f"{id(self)}-{writer}-{step}-{part}" for part in range(10 if writer else 1)]
            films = [{"_id": name, "key": name} for name in names]
            try:
                self.collection.insert_many(films, ordered=writer == 1)
            except PyMongoError:
                pass  # not acknowledged: may or may not be there
            else:
                self.acknowledged += names
                self.longest_stall = max(self.longest_stall, time.monotonic() - last)
                last = time.monotonic()
            step += 1

    def wait_for_more(self) -> None:
        """Until every writer has surely written again."""
        enough = len(self.acknowledged) + 200
        wait_for("acknowledged writes", lambda: len(self.acknowledged) > enough)

    def lost(self) -> set[str]:
        return set(self.acknowledged) - {film["_id"] for film in self.collection.find({}, {"_id": 1})}


@pytest.fixture
def films(replicated: LocalCluster) -> Iterator[Collection[Document]]:
    with replicated.client() as client:
        collection = client["failover"]["films"]
        client.admin.command("shardCollection", collection.full_name, key={"key": "hashed"})
        yield collection
        collection.drop()


@pytest.mark.parametrize("replica_set", ["shard1", "config"])
def test_kill_a_primary_under_load(replicated: LocalCluster, films: Collection[Document], replica_set: str) -> None:
    with Load(films) as load:
        load.wait_for_more()
        primary = replicated.primary(replica_set)
        primary.stop(signal.SIGKILL)
        load.wait_for_more()
        # A new client gets in, and what the config servers keep can be changed, once they have a primary.
        replicated.primary(replica_set)
        with replicated.client() as client:
            client.admin.command("createUser", "passing", pwd="passing", roles=[])
            client.admin.command("dropUser", "passing")
        primary.start()
        primary.wait_until_listening()
        load.wait_for_more()
    assert load.lost() == set()
    assert load.longest_stall < LONGEST_STALL_SECONDS


def test_freeze_a_primary_under_load(replicated: LocalCluster, films: Collection[Document]) -> None:
    """A frozen host still accepts connections and never answers: it is given up once another one is elected."""
    with Load(films) as load:
        load.wait_for_more()
        frozen = replicated.primary("shard1")
        frozen.send(signal.SIGSTOP)
        try:
            load.wait_for_more()
        finally:
            frozen.send(signal.SIGCONT)
        load.wait_for_more()
    assert load.lost() == set()
    assert load.longest_stall < LONGEST_STALL_SECONDS


def test_an_aggregate_over_shards_of_which_one_freezes(replicated: LocalCluster, films: Collection[Document]) -> None:
    """The shard that merges would wait for the frozen one for ever."""
    films.insert_many([{"key": key} for key in range(20)])
    merging = films.database.client["config"]["databases"].find_one({"_id": films.database.name})
    assert merging is not None
    other = next(shard.name for shard in replicated.replica_sets[1:] if shard.name != merging["primary"])
    frozen = replicated.primary(other)
    frozen.send(signal.SIGSTOP)
    try:
        with pymongo.timeout(LONGEST_STALL_SECONDS):
            assert films.count_documents({}) == 20
    finally:
        frozen.send(signal.SIGCONT)


def test_time_limit_on_a_frozen_shard(small_cluster: LocalCluster, sharded: Collection[Document]) -> None:
    """With nobody to take over, maxTimeMS (and a little slack) is how long one waits."""
    sharded.insert_many([{"key": key} for key in range(20)])
    frozen = small_cluster.primary("shard1")
    frozen.send(signal.SIGSTOP)
    started = time.monotonic()
    try:
        with pytest.raises(ExecutionTimeout):
            list(sharded.find().max_time_ms(500))
    finally:
        frozen.send(signal.SIGCONT)
    assert time.monotonic() - started < 10
    assert len(list(sharded.find())) == 20


@pytest.mark.parametrize("code", [6, 202], ids=["HostUnreachable", "NetworkInterfaceExceededTimeLimit"])
def test_what_a_shard_could_not_reach_for_a_while_is_asked_again(
    small_cluster: LocalCluster, sharded: Collection[Document], code: int
) -> None:
    sharded.insert_many([{"key": key} for key in range(20)])
    shard = small_cluster.shard_client("shard1")
    failure = {"failCommands": ["aggregate", "count", "find"], "errorCode": code, "failInternalCommands": True}
    for count in (
        lambda: sharded.count_documents({}),
        sharded.estimated_document_count,
        lambda: len(list(sharded.find())),
    ):
        shard.admin.command("configureFailPoint", "failCommand", mode={"times": 2}, data=failure)
        assert count() == 20
        left = shard.admin.command("configureFailPoint", "failCommand", mode="off")
        assert left["count"] >= 2, "it failed as told"


def test_a_router_without_its_config_servers_goes_on(replicated: LocalCluster, films: Collection[Document]) -> None:
    """Reads and writes of clients that are logged in need no config server."""
    films.insert_one({"_id": 1, "key": 1})
    members = replicated.replica_set("config").members
    for member in members:
        member.send(signal.SIGSTOP)
    try:
        # Until after the privileges have been due to be read again.
        deadline, longest = time.monotonic() + REFRESH_SECONDS + 2, 0.0
        while time.monotonic() < deadline:
            started = time.monotonic()
            assert films.find_one({"key": 1}) is not None
            films.update_one({"key": 1}, {"$inc": {"n": 1}})
            longest = max(longest, time.monotonic() - started)
        assert longest < SELECTION_SECONDS / 2, "it waited for a config server"
    finally:
        for member in members:
            member.send(signal.SIGCONT)
    replicated.primary("config")

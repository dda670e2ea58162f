"""Servers die or freeze under load: no acknowledged write is lost, and the router doesn't wait for dead servers."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from ops.local_cluster import LocalCluster
from ops.processes import wait_for
from standin.privileges import REFRESH_SECONDS
from standin.replica_set import SELECTION_SECONDS

Document = dict[str, Any]

# Elections take 2 to 4 s here (electionTimeoutMillis 2000); the rest is for a busy machine.
LONGEST_STALL_SECONDS = 25.0
WRITERS = 3


class Load:
    """Writers that record what was acknowledged, until the block ends."""

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
        self.stop()

    @property
    def going_on(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
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
                pass  # not acknowledged: may or may not be stored
            else:
                self.acknowledged += names
                self.longest_stall = max(self.longest_stall, time.monotonic() - last)
                last = time.monotonic()
            step += 1

    def wait_for_more(self) -> None:
        """Wait until writers have surely written again."""
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


@pytest.mark.parametrize("replica_set", ["shard1", pytest.param("config", marks=pytest.mark.thorough)])
def test_kill_a_primary_under_load(replicated: LocalCluster, films: Collection[Document], replica_set: str) -> None:
    with Load(films) as load:
        load.wait_for_more()
        primary = replicated.primary(replica_set)
        primary.stop(signal.SIGKILL)
        load.wait_for_more()
        # New clients can log in and change users once the config servers have a primary.
        replicated.primary(replica_set)
        with replicated.client() as client:
            client.admin.command("createUser", "passing", pwd="passing", roles=[])
            client.admin.command("dropUser", "passing")
        primary.start()
        primary.wait_until_listening()
        load.wait_for_more()
    assert load.lost() == set()
    assert load.longest_stall < LONGEST_STALL_SECONDS


def test_a_change_stream_misses_nothing_when_a_primary_dies(
    replicated: LocalCluster, films: Collection[Document]
) -> None:
    with films.database.watch(max_await_time_ms=500) as stream, Load(films) as load:
        seen: list[str] = []

        def follow() -> None:
            while not set(load.acknowledged) <= set(seen) or load.going_on:
                event = stream.try_next()
                if event is not None:
                    seen.append(event["documentKey"]["_id"])

        follower = threading.Thread(target=follow)
        follower.start()
        load.wait_for_more()
        primary = replicated.primary("shard1")
        primary.stop(signal.SIGKILL)
        load.wait_for_more()
        primary.start()
        primary.wait_until_listening()
        load.stop()
        follower.join()
    assert len(seen) == len(set(seen))


def test_freeze_a_primary_under_load(replicated: LocalCluster, films: Collection[Document]) -> None:
    """A frozen host still accepts connections but never answers: it is given up once another one is elected."""
    with Load(films) as load:
        load.wait_for_more()
        frozen = replicated.primary("shard1")
        frozen.freeze()
        try:
            load.wait_for_more()
        finally:
            frozen.send(signal.SIGCONT)
        load.wait_for_more()
    assert load.lost() == set()
    assert load.longest_stall < LONGEST_STALL_SECONDS


def test_an_aggregate_over_shards_when_one_freezes(replicated: LocalCluster, films: Collection[Document]) -> None:
    """The merging shard by itself would wait forever for the frozen one."""
    films.insert_many([{"key": key} for key in range(20)])
    merging = films.database.client["config"]["databases"].find_one({"_id": films.database.name})
    assert merging is not None
    other = next(shard.name for shard in replicated.replica_sets[1:] if shard.name != merging["primary"])
    frozen = replicated.primary(other)
    frozen.freeze()
    try:
        with pymongo.timeout(LONGEST_STALL_SECONDS):
            assert films.count_documents({}) == 20
    finally:
        frozen.send(signal.SIGCONT)


def test_reads_and_writes_without_config_servers(replicated: LocalCluster, films: Collection[Document]) -> None:
    """Clients that are logged in need no config server to read and write."""
    films.insert_one({"_id": 1, "key": 1})
    members = replicated.replica_set("config").members
    for member in members:
        member.freeze()
    try:
        # Longer than privileges are cached.
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

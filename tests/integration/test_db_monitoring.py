"""The cluster's own word on how it is: every process is asked, and one that doesn't answer is said to."""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from app.db.cluster import Monitor, Survey
from app.db.cluster.processes import Answer
from app.settings import SettingError
from ops.local_cluster import LocalCluster

DATABASE = "movie_library"
FILMS = 40
UNAUTHORIZED = 13


@pytest.fixture(scope="module")
def small(data_directory: Path, mongod: Path) -> Iterator[LocalCluster]:
    """Two shards of one member each, one config server and a router, with films on both shards."""
    with LocalCluster(data_directory / "monitoring", mongod=mongod, members=1) as cluster:
        with cluster.client("film-library-admin") as client:
            films = [{"_id": f"f{n}", "title_hash": n, "title": "t", "type": "MOVIE"} for n in range(FILMS)]
            client[DATABASE].movies.insert_many(films)
        yield cluster


@pytest.fixture
def monitor(small: LocalCluster) -> Iterator[Monitor]:
    yield from watching(small)


@pytest.fixture
def single(mongodb: LocalCluster) -> Iterator[Monitor]:
    yield from watching(mongodb)


def watching(cluster: LocalCluster) -> Iterator[Monitor]:
    monitor = Monitor(cluster.uri("monitor"), DATABASE)
    yield monitor
    monitor.close()


def states(survey: Survey) -> dict[str, str]:
    return {member.group: member.state for member in survey.members}


def test_every_process_of_a_cluster_is_asked_and_every_shard_says_what_it_holds(
    monitor: Monitor, small: LocalCluster
) -> None:
    survey = monitor.survey(rates=False)
    assert survey.healthy
    assert {member.address for member in survey.members} == {f"localhost:{p.port}" for p in small.processes}
    assert states(survey) == {"router": "up", "config": "PRIMARY", "shard1": "PRIMARY", "shard2": "PRIMARY"}
    assert all(member.version and member.connections and member.memory for member in survey.members)
    assert [shard.name for shard in survey.shards] == ["shard1", "shard2"]
    held = [shard.documents["movies"] for shard in survey.shards]
    assert sum(held) == FILMS
    assert min(held) > 0
    assert all(shard.chunks["movies"] == 2 and shard.data and shard.disk_total for shard in survey.shards)
    assert "sessions" not in survey.shards[0].chunks


# Log-in keys and password hashes are in all of these; the oplog has everything that is written.
@pytest.mark.parametrize(
    "namespace", ["local.oplog.rs", "admin.system.users", "config.system.sessions", "movie_library.users"]
)
def test_the_monitors_user_can_read_nothing_that_helps_to_log_in(small: LocalCluster, namespace: str) -> None:
    database, _, collection = namespace.partition(".")
    for process in small.processes:
        uri = f"mongodb://monitor:{quote_plus(small.passwords['monitor'])}@localhost:{process.port}/?authSource=admin"
        client: MongoClient[dict[str, Any]] = MongoClient(uri, directConnection=True, **small.tls.client_options())
        with client, pytest.raises(OperationFailure) as refused:
            client[database][collection].find_one()
        assert refused.value.code == UNAUTHORIZED, process.name


def test_a_process_that_hangs_is_said_to_and_the_others_are_told_of(monitor: Monitor, small: LocalCluster) -> None:
    (frozen,) = small.replica_set("shard2").members
    frozen.freeze()
    try:
        survey = monitor.survey(rates=False)
    finally:
        frozen.send(signal.SIGCONT)
    assert states(survey) == {"router": "up", "config": "PRIMARY", "shard1": "PRIMARY", "shard2": "no answer"}
    assert not survey.healthy
    assert [shard.name for shard in survey.shards] == ["shard1"]


def test_without_the_router_the_members_it_named_before_are_still_asked(monitor: Monitor, small: LocalCluster) -> None:
    assert small.router is not None
    assert monitor.survey(rates=False).problem is None
    small.router.freeze()
    try:
        survey = monitor.survey(rates=False)
    finally:
        small.router.send(signal.SIGCONT)
    assert states(survey) == {"router": "no answer", "config": "PRIMARY", "shard1": "PRIMARY", "shard2": "PRIMARY"}
    assert survey.problem == f"localhost:{small.router.port}: no answer"
    assert all(shard.documents["movies"] and not shard.chunks for shard in survey.shards)


def test_a_replica_set_without_a_router_is_surveyed(single: Monitor) -> None:
    survey = single.survey(rates=False)
    assert survey.healthy
    assert states(survey) == {"single": "PRIMARY"}
    (holder,) = survey.shards
    assert (holder.name, holder.chunks) == ("single", {})


def test_operations_are_counted_by_the_second(single: Monitor, mongodb: LocalCluster) -> None:
    measured = threading.Event()

    def ask() -> None:
        with mongodb.client("film-library-admin") as client:
            while not measured.is_set():
                client[DATABASE].movies.find_one({"_id": "nobody"})

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            (member,) = single.survey().members
        finally:
            measured.set()
        asking.result()
    assert member.rates is not None
    assert member.rates["query"] > 0
    assert member.rates["delete"] == 0
    assert member.rate == sum(member.rates.values())


def test_a_slow_query_is_found_in_the_log_without_what_was_asked(single: Monitor, mongodb: LocalCluster) -> None:
    with mongodb.client() as client:
        client[DATABASE].movies.insert_one({"_id": "slow", "title": "t", "type": "MOVIE", "title_hash": 1})
        client[DATABASE].command("profile", 0, slowms=-1)  # everything counts as slow
        try:
            client[DATABASE].movies.find_one({"title": "a secret", "runtime": {"$gt": 77}})
        finally:
            client[DATABASE].command("profile", 0, slowms=100)
            client[DATABASE].movies.delete_one({"_id": "slow"})
    (found,) = [
        operation for operation in single.slow_operations(single.survey(rates=False)) if "runtime" in operation.shape
    ]
    assert (found.collection, found.operation, found.plan) == ("movies", "find", "COLLSCAN")
    assert found.shape == '{"filter": {"title": "?", "runtime": {"$gt": "?"}}}'


def test_a_wrong_password_is_told_from_no_answer(mongodb: LocalCluster) -> None:
    (member,) = mongodb.replica_set("single").members
    monitor = Monitor(mongodb.uri("monitor", "wrong"), DATABASE)
    try:
        survey = monitor.survey(rates=False)
    finally:
        monitor.close()
    assert [each.state for each in survey.members] == ["refuses the monitor's log-in"]
    assert survey.problem == f"localhost:{member.port}: refuses the monitor's log-in"
    assert survey.shards == []


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(SettingError, match="FILM_LIBRARY_MONITOR_URI"):
        Monitor("router-1:27017", DATABASE)


def test_monitoring_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FILM_LIBRARY_MONITOR_URI", raising=False)
    assert Monitor.from_env() is None


MOMENT = datetime(2026, 11, 22, tzinfo=UTC)
STATUS = {"version": "6.0.5", "uptime": 50.0, "connections": {"current": 1}, "mem": {"resident": 1}}


def answer(address: str, *, group: str = "shard1", at: float = 0.0, behind: float = 0.0, **status: object) -> Answer:
    return Answer(group, address, "SECONDARY", at, {**STATUS, **status}, MOMENT - timedelta(seconds=behind))


def test_lag_is_the_distance_to_the_latest_write_in_the_same_set() -> None:
    answers = [answer("a"), answer("b", behind=2.5), answer("c", group="shard2", behind=60)]
    assert [each.member(answers, {}).lag for each in answers] == [0, 2.5, 0]


def test_a_rate_is_the_difference_by_time_and_there_is_none_over_a_restart_or_a_long_time() -> None:
    before = answer("a", opcounters={"insert": 10, "deprecated": {"total": 1}})
    later = answer("a", at=4.0, opcounters={"insert": 30})
    assert later.rates({"a": before}) == {"insert": 5.0}
    assert later.rates({}) is None
    assert answer("a", at=4.0, uptime=3.0, opcounters={"insert": 1}).rates({"a": before}) is None
    assert answer("a", at=4000.0, opcounters={"insert": 30}).rates({"a": before}) is None

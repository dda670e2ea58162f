"""The module mongodb_change, which begins and ends every change of a running cluster, on a real small one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pymongo.database import Database
from pymongo.errors import ExecutionTimeout, OperationFailure

from ops.local_cluster import CLUSTER_ADMIN, LocalCluster
from tests.ansible_modules.conftest import Module
from tests.ansible_modules.tls import module_options

MINE, OTHERS = "ann@one:/a", "ben@two:/b"


@pytest.fixture(scope="module")
def login(small_cluster: LocalCluster) -> dict[str, Any]:
    assert small_cluster.router
    return {
        "login_port": small_cluster.router.port,
        "login_user": CLUSTER_ADMIN,
        "login_password": small_cluster.passwords[CLUSTER_ADMIN],
        "login_ca_file": module_options(small_cluster.tls)["login_ca_file"],
    }


@pytest.fixture
def library(small_cluster: LocalCluster) -> Any:
    """A client of the router; no lock is left of other tests."""
    with small_cluster.client() as client:
        client.admin.cluster_change_lock.delete_many({})
        client.admin.command("balancerStart")
        yield client


def balancer(client: Any) -> str:
    return str(client.admin.command("balancerStatus")["mode"])


def test_one_change_at_a_time_with_the_balancer_off(run_module: Module, library: Any, login: dict[str, Any]) -> None:
    begin = {"state": "begun", "verb": "cluster-restart", **login}
    looked = run_module("mongodb_change", check=True, **begin, holder=MINE)
    assert not looked["failed"]
    assert not looked["changed"]
    assert library.admin.cluster_change_lock.find_one() is None

    assert run_module("mongodb_change", **begin, holder=MINE)["changed"]
    assert balancer(library) == "off"
    for check in (False, True):
        refused = run_module("mongodb_change", check=check, **begin, holder=OTHERS)
        assert f"cluster-restart by {MINE} since 20" in refused["msg"]
        assert "FORCE=1" in refused["msg"]
        assert refused["refused"]
    # Whoever was refused must not end it either.
    assert not run_module("mongodb_change", **begin | {"state": "ended"}, holder=OTHERS)["changed"]
    asked = {"check": True, **begin, "state": "ended"}
    assert [run_module("mongodb_change", **asked, holder=who)["held"] for who in (MINE, OTHERS)] == [True, False]
    assert balancer(library) == "off"

    # The same holder's run died; the next one still knows that the balancer ran.
    again = run_module("mongodb_change", **begin, holder=MINE)
    assert again["taken_over"].startswith(f"cluster-restart by {MINE}")
    assert run_module("mongodb_change", **begin | {"state": "ended"}, holder=MINE)["changed"]
    assert balancer(library) == "full"
    assert not run_module("mongodb_change", **begin | {"state": "ended"}, holder=MINE)["changed"], "ended already"


@pytest.mark.parametrize(
    ("options", "holder"), [({"stale_hours": 6}, OTHERS), ({"stale_hours": 4}, MINE), ({"force": True}, MINE)]
)
def test_a_dead_runs_lock_is_taken_over(
    run_module: Module, library: Any, login: dict[str, Any], options: dict[str, Any], holder: str
) -> None:
    since = datetime.now(UTC) - timedelta(hours=5)
    dead = {"_id": "change", "verb": "rotate-secrets", "holder": OTHERS, "since": since, "balancer_stopped": False}
    library.admin.cluster_change_lock.insert_one(dead)
    library.admin.command("balancerStop")
    mine = {"verb": "cluster-restart", "holder": MINE, **login}
    result = run_module("mongodb_change", state="begun", **options, **mine)
    assert result["failed"] == (holder == OTHERS), result
    assert library.admin.cluster_change_lock.find_one()["holder"] == holder
    run_module("mongodb_change", state="ended", **mine)
    assert balancer(library) == "off", "an operator had stopped it"


def test_it_waits_until_no_chunk_moves(run_module: Module, library: Any, login: dict[str, Any]) -> None:
    library.config.migrations.insert_one({"_id": "movie_library.movies-x", "ns": "movie_library.movies"})
    try:
        begun = run_module("mongodb_change", state="begun", verb="cluster-restart", holder=MINE, timeout=1, **login)
        assert "a chunk is being moved: movie_library.movies-x" in begun["msg"]
    finally:
        library.config.migrations.delete_many({})
        run_module("mongodb_change", state="ended", verb="cluster-restart", holder=MINE, **login)


def test_a_balancer_that_is_slow_to_stop_is_waited_for(
    run_module: Module, library: Any, login: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """balancerStop turns it off at once and then waits for its round; less long than a client waits for an answer."""
    ask, limits, rounds = Database.command, [], [True, True, False]

    def slow(self: Any, command: str, *values: Any, **options: Any) -> Any:
        answer = ask(self, command, *values, **options)
        if command == "balancerStop":
            limits.append(options["maxTimeMS"])
            raise ExecutionTimeout("operation exceeded time limit", 50)
        if command == "balancerStatus" and limits:
            answer["inBalancerRound"] = bool(rounds) and rounds.pop(0)
        return answer

    monkeypatch.setattr(Database, "command", slow)
    change = {"verb": "cluster-restart", "holder": MINE, **login}
    begun = run_module("mongodb_change", state="begun", **change)
    assert begun["changed"], begun
    assert not begun["failed"], begun
    assert limits == [5000]
    assert rounds == []
    assert balancer(library) == "off"


def test_no_apps_user_can_read_or_write_the_lock(small_cluster: LocalCluster) -> None:
    for user in ("film-library-admin", "film-library-user", "film-library-deploy", "film-library-backup", "monitor"):
        with small_cluster.client(user) as client:
            lock = client.admin.cluster_change_lock
            for attempt in (lambda lock=lock: lock.find_one(), lambda lock=lock: lock.insert_one({"_id": "change"})):
                with pytest.raises(OperationFailure, match="not authorized"):
                    attempt()

"""The module mongodb_replica_set_health on real members."""

from __future__ import annotations

import signal
from typing import Any

from pymongo import MongoClient

from ops.processes import wait_for
from tests.ansible_modules.conftest import ADMIN, PASSWORD, Members, Module, direct
from tests.ansible_modules.tls import member_tls, module_options


def arguments(hosts: list[str], **options: Any) -> dict[str, Any]:
    login = {"login_user": ADMIN, "login_password": PASSWORD, **module_options(member_tls())}
    return {"name": "films", "members": hosts, "timeout": 60} | login | options


def health(client: MongoClient[dict[str, Any]], host: str) -> float:
    """1 while the queried member believes that `host` is up, else 0."""
    found = {member["name"]: member["health"] for member in client.admin.command("replSetGetStatus")["members"]}
    return float(found[host])


def test_waits_for_every_member_and_its_last_write(run_module: Module, members: Members) -> None:
    hosts = [members.start("films") for _ in range(3)]
    formed = run_module(
        "mongodb_replica_set", **arguments(hosts), local_member=hosts[0], settings={"electionTimeoutMillis": 2000}
    )
    assert formed["primary"] == hosts[0], formed

    healthy = run_module("mongodb_replica_set_health", **arguments(hosts))
    assert (healthy["failed"], healthy["changed"], healthy["primary"]) == (False, False, hosts[0])

    # A locked secondary stays up, but lags from the next write on.
    with direct(hosts[2]) as client:
        client.admin.command("fsync", 1, lock=True)
    try:
        with direct(hosts[0]) as client:
            client.films.movies.insert_one({"title": "Metropolis"})
        behind = run_module("mongodb_replica_set_health", **arguments(hosts, timeout=1))
        tolerated = run_module("mongodb_replica_set_health", **arguments(hosts, timeout=1, max_lag=600))
    finally:
        with direct(hosts[2]) as client:
            client.admin.command("fsyncUnlock")
    assert f"{hosts[2]}: " in behind["msg"]
    assert "behind the primary" in behind["msg"]
    assert not tolerated["failed"]
    assert not run_module("mongodb_replica_set_health", **arguments(hosts))["failed"]

    # The primary takes up to ten seconds, a heartbeat's timeout, to notice a frozen member.
    members.processes[hosts[1]].freeze()
    frozen = run_module("mongodb_replica_set_health", **arguments(hosts, timeout=1, max_lag=600))
    assert f"{hosts[1]}: no answer" in frozen["msg"]

    members.processes[hosts[1]].stop(signal.SIGKILL)
    with direct(hosts[0]) as client:
        wait_for(f"heartbeat without {hosts[1]}", lambda: health(client, hosts[1]) == 0)
    # A cloud's inventory doesn't list a machine that is off, but the set still misses it.
    lacking = run_module("mongodb_replica_set_health", **arguments(hosts[::2], timeout=6, max_lag=600))
    assert f"{hosts[1]}: (not reachable/healthy)" in lacking["msg"]

    # Without a majority there is no primary.
    members.processes[hosts[2]].stop(signal.SIGKILL)
    alone = run_module("mongodb_replica_set_health", **arguments(hosts, timeout=6, max_lag=600))
    assert alone["failed"]


def test_rejected_password_is_reported(run_module: Module, members: Members) -> None:
    host = members.start("films")
    run_module("mongodb_replica_set", **arguments([host]), local_member=host)
    refused = run_module("mongodb_replica_set_health", **arguments([host], login_password="another"))
    assert refused["msg"].startswith(f"films rejects {ADMIN}")

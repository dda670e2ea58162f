"""A data host loses its power, not in good order but at once: both apps go on, whatever it led, and it catches up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from pymongo.errors import OperationFailure

from ops import faults
from ops.settings import Settings
from ops.topology import ADMIN_APP_PORT, Host
from tests.deployed import Client, Deployment, Inventory, connect
from tests.drills.environment import ENV
from tests.drills.visitor import Visitor

DATA_HOSTS = [host for host in Settings.read({"ENV": ENV}).hosts if "config" in host.groups]
#: What the host without power was the primary of. Each is an outage of its own: while the config servers elect, too, a
#: shard's new primary can't find out what it has to know.
LED = {"mongo-1": ["shard1"], "mongo-2": ["config", "shard2"], "mongo-3": ["config", "shard1", "shard2"]}
PATIENCE = 120  # seconds for a host to boot and its members to catch up
PAUSE = 5.0  # seconds; waiting longer than that is waiting for an election
#: Seconds from the power cut until nobody waits any more: an election takes up to 12, catching up 2; and whatever a new
#: primary then asks a config server without power, which other servers take for alive for up to 20 after the cut.
OUTAGE = 30.0
HEALTHY = {"PRIMARY", "SECONDARY"}


@pytest.fixture
def deployment(inventory: Inventory) -> Iterator[Deployment]:
    """Connections of this test's own: those to a host don't outlive its power."""
    with connect(inventory) as deployment:
        yield deployment


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {PATIENCE} s"
        time.sleep(0.2)  # between two questions


def router(deployment: Deployment, inventory: Inventory) -> Client:
    return deployment.client(inventory.routers[0], "cluster-admin")


def caught_up(deployment: Deployment, inventory: Inventory, host: str) -> bool:
    """Every member on the host is primary or secondary in the eyes of another host's member."""
    for members in inventory.replica_sets.values():
        own = next(member for member in members if member.host == host)
        other = next(member for member in members if member.host != host)
        user = "cluster-admin" if other.name == "config" else "shard-admin"
        status = deployment.client(other, user).admin.command("replSetGetStatus")
        states = {member["name"]: member["stateStr"] for member in status["members"]}
        if states[f"{own.host}:{own.port}"] not in HEALTHY:
            return False
    return True


def make_primary(deployment: Deployment, inventory: Inventory, name: str, host: str) -> None:
    """The replica set's member on the host takes over, unless it leads already."""
    member = next(member for member in inventory.replica_sets[name] if member.host == host)
    admin = deployment.client(member, "cluster-admin" if name == "config" else "shard-admin").admin

    def leads() -> bool:
        if not admin.command("hello")["isWritablePrimary"]:
            with suppress(OperationFailure):  # it lags a moment, or another election is on
                admin.command("replSetStepUp")
        return bool(admin.command("hello")["isWritablePrimary"])

    wait_for(leads, f"{name} led by {host}")


@pytest.mark.parametrize("victim", DATA_HOSTS, ids=lambda host: f"{host.name}-led-{'-'.join(LED[host.name])}")
def test_both_apps_go_on_without_it(victim: Host, deployment: Deployment, inventory: Inventory) -> None:
    survivor = next(host for host in DATA_HOSTS if host != victim)
    for name in inventory.replica_sets:
        make_primary(deployment, inventory, name, (victim if name in LED[victim.name] else survivor).name)
    address = inventory.address(inventory.group("web")[0])
    films = router(deployment, inventory)["movie_library"]["movies"].count_documents({})
    admin = f"http://{address}:{ADMIN_APP_PORT}"
    with Visitor(f"http://{address}", admin, inventory.passwords["app_admin_login"]) as visitor:
        wait_for(lambda: bool(visitor.signed_up), "first sign-up")
        cut = time.monotonic()
        faults.power_off(ENV, victim)
        visitor.log_in_as_admin()
        for what, times in {"read user app": 5, "read admin app": 5, "write user app": 2, "write admin app": 1}.items():
            wait_for(lambda what=what, times=times: visitor.count(what, cut) >= times, f"{what} after the power cut")
        faults.boot(ENV, victim)
        wait_for(lambda: caught_up(deployment, inventory, victim.name), f"healthy members on {victim.name}")
    failed = [answer for answer in visitor.answers if not 200 <= answer.status < 400]
    longest = max(visitor.answers, key=lambda answer: answer.seconds)
    print(f"{victim.name}: {len(visitor.answers)} requests, longest {longest.seconds:.1f} s ({longest.what})")
    assert failed == []
    assert [answer for answer in visitor.answers if answer.seconds > PAUSE and answer.ended > cut + OUTAGE] == []
    users = router(deployment, inventory)["movie_library"]["users"]
    assert users.count_documents({"username": {"$in": visitor.signed_up}}) == len(visitor.signed_up)
    assert router(deployment, inventory)["movie_library"]["movies"].count_documents({}) == films

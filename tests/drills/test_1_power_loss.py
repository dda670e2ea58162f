"""A data host loses power: both apps keep working, whatever it was primary of, and it catches up when it is back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from pymongo.errors import OperationFailure

from ops import faults
from ops.settings import Settings
from ops.topology import Host
from tests.deployed import Client, Deployment, Inventory, connect
from tests.drills.environment import ENV
from tests.drills.visitor import visitor

DATA_HOSTS = [host for host in Settings.read({"ENV": ENV}).hosts if "config" in host.groups]
#: The sets that each host is primary of when it loses power. Each combination fails differently: a shard's new primary
#: needs the config servers, which may be electing at the same time.
LED = {"mongo-1": ["shard1"], "mongo-2": ["config", "shard2"], "mongo-3": ["config", "shard1", "shard2"]}
ALWAYS = "mongo-3"  # the most at once; `make drills` has the others, too
PATIENCE = 120  # seconds for a host to boot and its members to catch up
PAUSE = 5.0  # seconds; a request that takes longer has waited for an election
#: Seconds from the power cut until no request waits: an election takes up to 12, catching up 2; other servers may still
#: ask a dead config server for up to 20.
OUTAGE = 30.0
thorough = pytest.mark.thorough
HEALTHY = {"PRIMARY", "SECONDARY"}


@pytest.fixture
def deployment(inventory: Inventory) -> Iterator[Deployment]:
    """New connections for each test: those to a host don't survive its power cut."""
    with connect(inventory) as deployment:
        yield deployment


def wait_for(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.2)


def router(deployment: Deployment, inventory: Inventory) -> Client:
    return deployment.client(inventory.routers[0], "cluster-admin")


def caught_up(deployment: Deployment, inventory: Inventory, host: str) -> bool:
    """Whether a member on another host sees each of this host's members as primary or secondary."""
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
    """Makes the replica set's member on the host its primary."""
    member = next(member for member in inventory.replica_sets[name] if member.host == host)
    admin = deployment.client(member, "cluster-admin" if name == "config" else "shard-admin").admin

    def leads() -> bool:
        if not admin.command("hello")["isWritablePrimary"]:
            with suppress(OperationFailure):  # it lags, or another election is running
                admin.command("replSetStepUp")
        return bool(admin.command("hello")["isWritablePrimary"])

    wait_for(leads, f"{name} led by {host}")


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(
            host, id=f"{host.name}-led-{'-'.join(LED[host.name])}", marks=() if host.name == ALWAYS else thorough
        )
        for host in DATA_HOSTS
    ],
)
def test_both_apps_keep_working_without_it(victim: Host, deployment: Deployment, inventory: Inventory) -> None:
    survivor = next(host for host in DATA_HOSTS if host != victim)
    for name in inventory.replica_sets:
        make_primary(deployment, inventory, name, (victim if name in LED[victim.name] else survivor).name)
    films = router(deployment, inventory)["movie_library"]["movies"].count_documents({})
    with visitor(deployment, inventory) as somebody:
        wait_for(lambda: bool(somebody.signed_up), "first sign-up")
        cut = time.monotonic()
        faults.power_off(ENV, victim)
        somebody.log_in_as_admin()
        for what, times in {"read user app": 5, "read admin app": 5, "write user app": 2, "write admin app": 1}.items():
            wait_for(lambda what=what, times=times: somebody.count(what, cut) >= times, f"{what} after the power cut")
        faults.boot(ENV, victim)
        wait_for(lambda: caught_up(deployment, inventory, victim.name), f"healthy members on {victim.name}")
    failed = [answer for answer in somebody.answers if not 200 <= answer.status < 400]
    longest = max(somebody.answers, key=lambda answer: answer.seconds)
    print(f"{victim.name}: {len(somebody.answers)} requests, longest {longest.seconds:.1f} s ({longest.what})")
    assert failed == []
    assert [answer for answer in somebody.answers if answer.seconds > PAUSE and answer.ended > cut + OUTAGE] == []
    users = router(deployment, inventory)["movie_library"]["users"]
    assert users.count_documents({"username": {"$in": somebody.signed_up}}) == len(somebody.signed_up)
    assert router(deployment, inventory)["movie_library"]["movies"].count_documents({}) == films

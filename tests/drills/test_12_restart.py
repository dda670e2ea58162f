"""`make cluster-restart`: every process restarts in order and nobody notices; it refuses when that couldn't be."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from tests.deployed import Deployment, Inventory, Process, connect
from tests.drills.environment import start_ops
from tests.drills.test_1_power_loss import wait_for
from tests.drills.test_4_tls import PATIENCE, run_ops
from tests.drills.visitor import Visitor, visitor
from tests.drills.writer import Writer
from tests.units import properties

pytestmark = pytest.mark.thorough

#: No backup starts while it is there.
HOLD = "/run/film-library-change"

#: A backup that takes a minute before it begins.
SLOW_BACKUP = """
mkdir --parents /run/systemd/system/film-library-backup.service.d
printf '[Service]\\nExecStartPre=/bin/sleep 60\\n' > /run/systemd/system/film-library-backup.service.d/slow.conf
systemctl daemon-reload
systemctl start --no-block film-library-backup.service
"""
NO_BACKUP = """
systemctl stop film-library-backup.service
rm --recursive --force /run/systemd/system/film-library-backup.service.d
systemctl daemon-reload
"""


@pytest.fixture
def deployment(inventory: Inventory) -> Iterator[Deployment]:
    """New connections for each test, because the servers restart."""
    with connect(inventory) as deployment:
        yield deployment


@contextmanager
def unnoticed(deployment: Deployment, inventory: Inventory) -> Iterator[tuple[Writer, Visitor]]:
    """Somebody uses both apps and a program writes meanwhile: nothing may be lost, at most one write in a row fail."""
    router = deployment.new_client(inventory.routers[0], "cluster-admin", inventory.passwords["cluster_admin"])
    with router, Writer(router) as writer, visitor(deployment, inventory) as somebody:
        wait_for(lambda: bool(somebody.signed_up and writer.acknowledged), "first sign-up and write")
        yield writer, somebody
        until_now = len(writer.acknowledged)
        wait_for(lambda: len(writer.acknowledged) > until_now, "another write")
        assert writer.lost() == []
    print(f"{len(writer.acknowledged)} writes, failed: {writer.failures}")
    print(f"{len(somebody.answers)} requests, longest {max(answer.seconds for answer in somebody.answers):.1f} s")
    assert writer.failures_in_a_row() <= 1, writer.failures
    assert [answer for answer in somebody.answers if not 200 <= answer.status < 400] == []


def moment(text: str) -> float:
    """A time of `systemctl show` in seconds, such as Sun 2026-11-22 09:38:29.123456 UTC."""
    _, day, time, _ = text.split()
    return datetime.fromisoformat(f"{day}T{time}+00:00").timestamp()


def downtime(deployment: Deployment, process: Process) -> tuple[float, float]:
    """When a process last stopped, and when it was back: a member as secondary, by its log."""
    host, names = deployment.host(process.host), "--property=ActiveExitTimestamp,ActiveEnterTimestamp"
    shown = host.check_output("systemctl show --timestamp=us+utc %s %s", names, process.unit)
    found = dict(line.split("=", 1) for line in shown.splitlines())
    stopped, back = moment(found["ActiveExitTimestamp"]), moment(found["ActiveEnterTimestamp"])
    if process.name != "mongos":
        log = f"/var/log/mongodb/{process.name}.log"
        last = host.check_output(
            """grep 'Replica set state transition.*"newState":"SECONDARY"' %s | tail --lines=1""", log
        )
        started, back = back, datetime.fromisoformat(json.loads(last)["t"]["$date"]).timestamp()
        assert back > started, f"{process} isn't back"
    return stopped, back


def pids(deployment: Deployment, inventory: Inventory) -> dict[str, str]:
    return {str(p): properties(deployment.host(p.host), p.unit)["MainPID"] for p in inventory.processes}


def primaries(deployment: Deployment, inventory: Inventory) -> dict[str, str]:
    """Replica set -> the host of its primary."""
    return {
        member.name: member.host
        for member in inventory.members
        if deployment.client(member).admin.command("hello")["isWritablePrimary"]
    }


def at_rest(deployment: Deployment, inventory: Inventory) -> bool:
    """Whether the gate has been closed: balancer on, no lock, backups on."""
    admin = deployment.client(inventory.routers[0], "cluster-admin").admin
    web = deployment.host(inventory.group("web")[0])
    timer, held = properties(web, "film-library-backup.timer")["ActiveState"], web.file(HOLD).exists
    return (admin.command("balancerStatus")["mode"], admin.cluster_change_lock.find_one(), timer, held) == (
        "full",
        None,
        "active",
        False,
    )


def refused(*, output: Path, **variables: str) -> str:
    """What a restart says that must be refused."""
    assert start_ops("restart", output=output, **variables).wait(PATIENCE) == 1, output.read_text()
    return output.read_text()


@pytest.mark.parametrize("at_once", ["1", "2"])
def test_everything_restarts_and_nobody_notices(
    inventory: Inventory, deployment: Deployment, at_once: str, tmp_path: Path
) -> None:
    before, led = pids(deployment, inventory), primaries(deployment, inventory)
    with unnoticed(deployment, inventory):
        print(run_ops("restart", output=tmp_path / "restart", SHARDS_AT_ONCE=at_once))
    with connect(inventory) as after:
        now = pids(after, inventory)
        assert [name for name in before if before[name] == now[name]] == []
        assert at_rest(after, inventory)
        down = {process: downtime(after, process) for process in inventory.processes}
    for name, members in inventory.replica_sets.items():
        order = sorted(members, key=lambda member: down[member])
        for first, second in itertools.pairwise(order):
            assert down[first][1] < down[second][0], f"{first} and {second} were down together"
        assert order[-1].host == led[name], "the primary comes last"
    last_config = max(down[member][1] for member in inventory.replica_sets["config"])
    shards = [down[member] for name in inventory.shards for member in inventory.replica_sets[name]]
    assert last_config < min(shards)[0]
    assert max(end for _, end in shards) < min(down[router][0] for router in inventory.routers)


def test_a_degraded_set_or_a_backup_refuses_it(inventory: Inventory, deployment: Deployment, tmp_path: Path) -> None:
    before, led = pids(deployment, inventory), primaries(deployment, inventory)
    away = next(member for member in inventory.replica_sets["shard1"] if member.host != led["shard1"])
    host, web = deployment.host(away.host), deployment.host(inventory.group("web")[0])
    host.check_output("systemctl stop %s", away.unit)
    try:
        said = refused(output=tmp_path / "degraded")
    finally:
        host.check_output("systemctl start %s", away.unit)
    assert "shard1 isn't healthy" in said
    assert f"{away.host}:{away.port}" in said
    assert at_rest(deployment, inventory), "what the gate began ended after its failure"
    deployment.wait_until_it_answers(away)

    web.check_output(SLOW_BACKUP)
    try:
        assert "A backup is running" in refused(output=tmp_path / "backup")
    finally:
        web.check_output(NO_BACKUP)
    assert at_rest(deployment, inventory)

    lock = deployment.client(inventory.routers[0], "cluster-admin").admin.cluster_change_lock
    foreign = {
        "_id": "change",
        "verb": "shard-remove",
        "holder": "ben@two:/b",
        "since": datetime.now(),
        "balancer_stopped": False,
    }
    lock.insert_one(foreign)
    web.check_output("touch %s", HOLD)
    try:
        assert "shard-remove by ben@two:/b" in refused(output=tmp_path / "lock")
        assert lock.find_one()["holder"] == "ben@two:/b"
        assert web.file(HOLD).exists, "it is the other one's"
        assert start_ops("up", output=tmp_path / "up").wait(PATIENCE) == 1
        assert "shard-remove by ben@two:/b" in (tmp_path / "up").read_text()
        assert start_ops("backup", output=tmp_path / "held").wait(PATIENCE) == 1
        assert "no backup was made" in (tmp_path / "held").read_text()
    finally:
        web.check_output("rm --force %s", HOLD)
        lock.delete_many({})
    now = pids(deployment, inventory)
    assert [name for name in before if before[name] != now[name]] == [str(away)]


def test_it_is_interrupted_and_run_again(inventory: Inventory, deployment: Deployment, tmp_path: Path) -> None:
    before = pids(deployment, inventory)

    def first_has_restarted() -> bool:
        return sum(pids(deployment, inventory)[name] != before[name] for name in before) >= 1

    with unnoticed(deployment, inventory):
        run = start_ops("restart", output=tmp_path / "interrupted")
        wait_for(first_has_restarted, "first restart")
        run.send_signal(signal.SIGINT)
        assert run.wait(PATIENCE) == 130, (tmp_path / "interrupted").read_text()
        assert "restarts everything, again" in (tmp_path / "interrupted").read_text()
        assert at_rest(deployment, inventory), "backups and balancer don't wait for the next run"
        run_ops("restart", output=tmp_path / "again")
    with connect(inventory) as after:
        now = pids(after, inventory)
        assert [name for name in before if before[name] == now[name]] == []
        assert at_rest(after, inventory)

"""Everything is deleted with all that root on the router's host can do, and docs/runbooks/ransom.md brings it back.

The test runs the runbook's own commands, in their order. It is the last drill, because the cluster is built again: on
one shard, which must make no difference.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo.errors import OperationFailure

from app.db.backups.checksums import Sum
from ops.paths import ROOT, backups_dir, secrets_dir
from ops.stores import place
from tests.cluster.test_user_app import Person
from tests.deployed import Client, Deployment, Inventory, connect
from tests.drills.attempts_on_data import LIBRARY
from tests.drills.environment import ENV
from tests.drills.test_1_power_loss import wait_for

RUNBOOK = (ROOT / "docs/runbooks/ransom.md").read_text()
#: What the issue promises for the sample.
MINUTES = 10
#: What the apps write by themselves, and sessions, which end with a restore.
NOT_COMPARED = {"sessions", "admin_sessions", "rate_limit_counters", "admin_rate_limit_counters", "figures", "locks"}
NOTE = "READ_ME_TO_RECOVER"


def steps() -> dict[str, str]:
    """The runbook's steps with commands: title -> commands. To choose backup and second is the test's part."""
    found = {}
    for section in RUNBOOK.split("\n## ")[1:]:
        blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        if commands := [block for block in blocks if not block.startswith("export ")]:
            found[section.partition("\n")[0]] = "".join(commands)
    return found


def run(commands: str, **variables: str) -> str:
    """Commands as an operator types them, in the project's directory. Returns what they say."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    environment = clean | {"ENV": ENV, "SHARDS": "1", "VAULT_PASSWORD_FILE": ""} | variables
    command = ["bash", "-euo", "pipefail", "-c", commands]
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{commands}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def contents(client: Client) -> dict[str, tuple[int, str]]:
    """Number of documents and checksum, by collection, without empty ones."""
    found = {}
    for name in client[LIBRARY].list_collection_names():
        read = Sum()
        for batch in client[LIBRARY][name].find_raw_batches({}):
            read.add_all(batch)  # type: ignore[arg-type]  # PyMongo's types say documents
        if read.documents and name not in NOT_COMPARED:
            found[name] = read.documents, read.checksum
    return found


def write(inventory: Inventory, deployment: Deployment) -> None:
    """What people do between two backups: accounts, likes, and administrators' changes."""
    somebody = Person(inventory)
    somebody.sign_up()
    (film, *_) = re.findall(r'class="like"[^>]*formaction="/films/([^"/]+)/like"', somebody.get("/catalogue"))
    somebody.send(f"/films/{film}/like", "/catalogue", like="yes", next="/catalogue")
    films = "".join(
        json.dumps({"_id": f"{somebody.name}-{n}", "title": f"{somebody.name} {n}", "type": "MOVIE"}) + "\n"
        for n in range(50)
    )
    web = inventory.group("web")[0]
    deployment.run_with_input(web, ["tee", "/var/cache/film-library/new.jsonl"], films)
    deployment.host(web).check_output("film-library import /var/cache/film-library/new.jsonl")


def attack(inventory: Inventory, deployment: Deployment) -> None:
    """With the admin app's user, then as root of the router's host: its key file is the servers' own password."""
    router = inventory.routers[0]
    library = deployment.client(router, "film-library-admin")[LIBRARY]
    for collection in (
        "movies",
        "credits",
        "users",
        "user_interactions",
        "administrators",
        "people",
        "jobs",
        "posters",
    ):
        with suppress(OperationFailure):
            library[collection].delete_many({})
    host = deployment.host(router.host)
    host.check_output("systemctl stop film-library-changes film-library-backup.timer")
    host.check_output("cp -r /var/backups/film-library /root/stolen")
    # The newest backup that the host has to offer is of what is left.
    host.run("systemctl start film-library-backup")
    key = "".join(host.check_output("cat /etc/mongod/keyfile").split())
    system = {"username": "__system", "password": key, "authSource": "local", "authMechanism": "SCRAM-SHA-256"}
    with deployment.bare_client(router, **system, **deployment.tls) as client:
        client.drop_database(LIBRARY)
        client[NOTE][NOTE].insert_one({"pay": "1 BTC"})
        assert client[LIBRARY].list_collection_names() == []


def leave_nothing(inventory: Inventory, deployment: Deployment) -> None:
    host = deployment.host(inventory.routers[0].host)
    host.check_output("find /var/backups/film-library /var/lib/film-library-backup -mindepth 1 -delete")
    host.check_output("rm -rf /opt/film-library")


@pytest.fixture(autouse=True)
def no_backups_left() -> Iterator[None]:
    """Those that the controller has of the tests' clusters."""
    shutil.rmtree(backups_dir(ENV), ignore_errors=True)
    yield
    shutil.rmtree(backups_dir(ENV), ignore_errors=True)


def test_the_runbook_brings_everything_back(inventory: Inventory, deployment: Deployment) -> None:
    router = inventory.routers[0]
    run("make backup")
    write(inventory, deployment)
    before = contents(deployment.client(router, "cluster-admin"))
    assert before["movies"][0] > 17_000
    moment = datetime.now(UTC).replace(microsecond=0)
    wait_for(lambda: datetime.now(UTC).timestamp() >= moment.timestamp() + 1, "next second")
    # The last slice, which the controller's crontab fetches.
    deployment.host(router.host).check_output("systemctl restart film-library-changes")
    run("make backup-fetch")
    kept = chosen(moment)
    old = inventory.passwords
    key = (secrets_dir(ENV) / "backup.key").read_bytes()

    attack(inventory, deployment)
    run("make backup-fetch")  # as the crontab does, before anybody has noticed
    assert newest() != kept["id"], "the backup of the emptied library should be the newest one"
    leave_nothing(inventory, deployment)
    known = {one["id"] for one in listed()}
    deployment.close()  # of these hosts: clients would wait for them at the end

    began, took = time.monotonic(), {}
    for title, commands in steps().items():
        if "cluster-status" in commands:
            wait_for(healthy, "healthy cluster whose gap in the changes is closed")
        started = time.monotonic()
        said = run(commands, ID=kept["id"], SECOND=f"{moment:%Y-%m-%dT%H:%M:%SZ}")
        took[title] = time.monotonic() - started
        print(f"{took[title]:6.1f} s  {title}")
        if "backup-list" in commands:
            assert kept["id"] in said
            assert "insert" in said, "the changes since then aren't shown"
    print(f"{sum(took.values()):6.1f} s  in all")
    assert time.monotonic() - began < MINUTES * 60, took

    films = {one["id"]: one["collections"].get("movies") for one in listed() if one["id"] not in known}
    assert set(films.values()) == {before["movies"][0]}, f"of the library before it was restored: {films}"
    again = Inventory.read()
    assert {name for name in old if old[name] == again.passwords[name]} == set(), "an old password is still good"
    assert (secrets_dir(ENV) / "backup.key").read_bytes() == key
    with connect(again) as new:
        client = new.client(again.routers[0], "cluster-admin")
        assert {name: found for name, found in contents(client).items() if name in before} == before
        assert NOTE not in client.list_database_names()
        assert len(client.admin.command("listShards")["shards"]) == 1
    somebody = Person(again)
    somebody.sign_up()
    assert "film" in somebody.get("/catalogue").lower()


def healthy() -> bool:
    """Whether `make cluster-status` finds nothing wrong, with backups neither."""
    command = [sys.executable, "-m", "ops", "status"]
    return (
        subprocess.run(command, check=False, cwd=ROOT, env=os.environ | {"ENV": ENV}, capture_output=True).returncode
        == 0
    )


def listed() -> list[dict[str, Any]]:
    """The complete backups that the controller has."""
    command = [sys.executable, "-m", "app.cli", "backups", place(ENV), "--json"]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    return [one for one in json.loads(done.stdout) if not one["problem"]]


def chosen(moment: datetime) -> dict[str, Any]:
    """The last backup before a moment, up to which its changes must reach."""
    found = max((one for one in listed() if one["at"] <= moment.isoformat()), key=lambda one: one["at"])
    assert found["restorable_until"] >= moment.isoformat(), found
    return found


def newest() -> str:
    return str(max(listed(), key=lambda one: one["at"])["id"])

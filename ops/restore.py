"""`make restore`: a backup beside what there is, compared, then swapped in while the apps are stopped.

Interrupted anywhere, the same command goes on where it was. What was there is kept until `make restore-cleanup`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from app.db import backups
from ops import ansible, children, commands, confirm, fleet, stores
from ops.commands import Commands
from ops.errors import OpsError
from ops.fleet import Fleet
from ops.locks import exclusive
from ops.paths import ROOT
from ops.progress import PhaseError, Progress, table
from ops.run import guarded

LATEST = "latest"
_DATABASE_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
_NOTHING_REPLACED = "nothing was replaced"
#: For Ansible, while a new cluster's library is yet to be restored by `into_new`. Backups of one that has them go on.
BEFORE = {"backup_paused": True}
_AFTERWARDS = """\
Everybody is logged out. What was there is kept: `make restore-cleanup ENV={env}` removes it.
Make a backup now: `make backup ENV={env}`."""


@dataclass(frozen=True)
class Request:
    """What to restore: the backup's id or `latest`, a time or "", and another database or "".

    With a `collection`, single records of it: those that meet `where`, "" for all.
    """

    backup: str
    at: str = ""
    into: str = ""
    collection: str = ""
    where: str = ""
    replace: bool = False

    @classmethod
    def read(cls, variables: Mapping[str, str], name: str = "BACKUP") -> Request:
        """From the variables of `make`. Raises OpsError with what is wrong."""

        def get(key: str) -> str:
            return variables.get(key, "").strip()

        backup, into, conflicts = get(name), get("INTO"), get("CONFLICTS")
        if not backup:
            raise OpsError(f"{name}=: which backup? `make backup-list` shows them; `latest` is the newest")
        if into and not _DATABASE_NAME.fullmatch(into):
            raise OpsError(f"INTO={into}: must be the name of a database, of letters, digits, - and _")
        if conflicts not in ("", "keep", "replace"):
            raise OpsError(f"CONFLICTS={conflicts}: must be keep or replace")
        if into and get("COLLECTION"):
            raise OpsError(f"INTO={into}: records are put back where they were, without INTO")
        if get("WHERE") and not get("COLLECTION"):
            raise OpsError(f"WHERE={get('WHERE')}: of which COLLECTION? A restore without one is of everything")
        try:
            backups.moment(get("AT") or LATEST)
        except backups.BackupError as error:
            raise OpsError(f"AT={get('AT')}: {error}") from error
        return cls(backup, get("AT"), into, get("COLLECTION"), get("WHERE"), conflicts == "replace")

    def what(self, film_library: Commands) -> list[str]:
        """The first arguments of `film-library restore` and `put-back`."""
        at = ["--at", self.at] if self.at else []
        return [film_library.store, self.backup, "--key", str(film_library.key), *at]

    @property
    def records(self) -> list[str]:
        """Options of `film-library put-back`. WHERE is Extended JSON if it begins with a brace."""
        where = ["--filter" if self.where.startswith("{") else "--where", self.where] if self.where else []
        return ["--collection", self.collection, *where, *(["--replace"] if self.replace else [])]

    def __str__(self) -> str:
        return self.backup + (f" at {self.at}" if self.at else "")


@dataclass(frozen=True)
class Cluster:
    """How to reach an environment's hosts, and the inventories of its playbooks."""

    env: str
    reach: Callable[[], AbstractContextManager[Fleet]]
    inventories: list[Path]


def local(env: str) -> Cluster:
    """The cluster on local hosts. Raises OpsError when there is none."""
    return Cluster(env, partial(fleet.local, env), [fleet.inventory_file(env)])


def restore(cluster: Cluster, request: Request, variables: Mapping[str, str]) -> int:
    """Restores a backup; returns the exit code. Raises LockedError, and OpsError when nobody can be asked."""
    began = time.monotonic()
    if not request.into:
        confirm.check(cluster.env, variables, _NOTHING_REPLACED)

    def work(progress: Progress) -> int:
        with cluster.reach() as hosts, commands.on_router(cluster.env, hosts, progress) as film_library:
            _load(film_library, request, progress, ["--into", request.into] if request.into else ["--beside"])
            if not request.into:
                _ask(cluster, film_library, variables, progress, "swap-in")
                _swap(cluster, film_library, progress, "swap-in")
        progress.total(time.monotonic() - began, f"restored {request}")
        if not request.into:
            progress.say(_AFTERWARDS.format(env=cluster.env))
        return 0

    advice = "The same command goes on from there. In the middle of the swap, the apps stay stopped until it has."
    with exclusive(cluster.env, wait=False):
        return guarded(f"{cluster.env}-restore", work, advice=advice)


def into_new(cluster: Cluster, request: Request, progress: Progress) -> None:
    """Restores a backup into a cluster that was just built, without a question.

    Its backups begin afterwards: earlier ones would be of the empty library. The caller holds the environment's lock.
    Raises PhaseError, also when there are films or accounts already.
    """
    with cluster.reach() as hosts, commands.on_router(cluster.env, hosts, progress) as film_library:
        _load(film_library, request, progress, ["--beside", "--new-library"])
        _swap(cluster, film_library, progress, "swap-in", "playbooks/back_up.yml")
        with progress.phase("Complete the restore"):
            film_library.run("restore-cleanup")  # only of what is restored: what was replaced is kept
        if kept := json.loads(film_library.run("restore-cleanup", "--dry-run")):
            names = ", ".join(f"{name} ({count:,})" for name, count in kept.items())
            progress.say(
                f"  What the new cluster had is kept: {names}. `make restore-cleanup ENV={cluster.env}` removes it."
            )


def check(env: str, request: Request) -> None:
    """Raises OpsError unless there are such a backup, its changes and a key: before a cluster is built for it."""
    stores.key_file(env)
    listed = children.run([sys.executable, "-m", "app.cli", "backups", stores.place(env), "--json"], cwd=ROOT)
    if listed.returncode:
        raise OpsError(listed.stderr.strip())
    moment = backups.moment(request.at or LATEST)
    at = moment.isoformat() if isinstance(moment, datetime) else ""
    found = {one["id"]: one for one in json.loads(listed.stdout)}
    if request.backup == LATEST:
        complete = [one for one in found.values() if not one["problem"] and (not at or one["at"] <= at)]
        chosen = max(complete, key=lambda one: one["at"], default=None)
    else:
        chosen = found.get(request.backup)
    if chosen is None:
        before = f" of before {at}" if at else ""
        raise OpsError(f"{request.backup}: there is no such complete backup{before}; `make backup-list` shows them")
    if problem := chosen["problem"]:
        raise OpsError(f"{request.backup}: {problem}")
    if at and not chosen["at"] <= at <= chosen["restorable_until"]:
        reach = f"from {chosen['at']} to {chosen['restorable_until']}"
        raise OpsError(f"AT={request.at}: {chosen['id']} can be restored {reach}; `make backup-list` shows the others")


def put_back(cluster: Cluster, request: Request, variables: Mapping[str, str]) -> int:
    """Puts single records back; returns the exit code, 1 if conflicts were left. Raises as `restore`."""
    began = time.monotonic()
    if request.replace:
        confirm.check(cluster.env, variables, _NOTHING_REPLACED)

    def work(progress: Progress) -> int:
        with cluster.reach() as hosts, commands.on_router(cluster.env, hosts, progress) as film_library:
            arguments = ["put-back", *request.what(film_library), *request.records]
            if request.replace:
                with progress.phase(f"Look for {request.collection} in {request}"):
                    lines, _ = film_library.lines(*arguments, "--dry-run")
                confirm.ask(cluster.env, variables, lines, _NOTHING_REPLACED)
            with progress.phase(f"Put back {request.collection} of {request}"):
                lines, left = film_library.lines(*arguments)
        for line in lines:
            progress.say(f"  {line}")
        progress.total(time.monotonic() - began, "CONFLICTS=replace replaces what is there" if left else "put back")
        return int(left)

    with exclusive(cluster.env, wait=False):
        return guarded(f"{cluster.env}-restore", work, advice="The same command goes on from there.")


def _load(film_library: Commands, request: Request, progress: Progress, where: list[str]) -> None:
    """Restores beside what there is, or into another database, and compares."""
    with progress.phase(f"Restore {request}"):
        said = film_library.run("restore", *request.what(film_library), *where)
    progress.say(f"  {said}")
    commands.show_access(film_library, said.split()[0])


def undo(cluster: Cluster, variables: Mapping[str, str]) -> int:
    """Puts back what the last restore has replaced; returns the exit code. Raises as `restore`."""
    began = time.monotonic()
    confirm.check(cluster.env, variables, _NOTHING_REPLACED)

    def work(progress: Progress) -> int:
        with cluster.reach() as hosts, commands.on_router(cluster.env, hosts, progress) as film_library:
            _ask(cluster, film_library, variables, progress, "restore-undo")
            _swap(cluster, film_library, progress, "restore-undo")
        progress.total(time.monotonic() - began, "undone")
        progress.say(_AFTERWARDS.format(env=cluster.env))
        return 0

    advice = f"The same command goes on from there; if all is in place already, `make cluster-up ENV={cluster.env}`."
    with exclusive(cluster.env, wait=False):
        return guarded(f"{cluster.env}-restore-undo", work, advice=advice)


def _ask(
    cluster: Cluster, film_library: Commands, variables: Mapping[str, str], progress: Progress, command: str
) -> None:
    """Shows what a command would swap. Raises OpsError unless somebody agrees."""
    for line in _summary(film_library, command):
        progress.say(line)
    confirm.ask(cluster.env, variables, [], f"{_NOTHING_REPLACED}. The same command goes on from here")


def _swap(cluster: Cluster, film_library: Commands, progress: Progress, command: str, *then: str) -> None:
    """Stops the apps, swaps collections by a command, starts the apps, and runs more playbooks."""
    with progress.phase("Stop the apps"):
        ansible.play(["playbooks/stop_apps.yml"], cluster.inventories, progress)
    with progress.phase("Swap"):
        film_library.run(command)
    with progress.phase("Start the apps"):
        try:
            ansible.play(["playbooks/start_apps.yml", *then], cluster.inventories, progress)
        except PhaseError as error:
            advice = f"Everything is restored; `make cluster-up ENV={cluster.env}` starts the apps."
            raise PhaseError(str(error), [*(error.lines or []), advice]) from error


def _summary(film_library: Commands, command: str) -> list[str]:
    """What there is now and what would take its place, by collection."""
    found = json.loads(film_library.run(command, "--dry-run"))
    rows = [[name, f"{now:,}", f"{then:,}"] for name, (now, then) in found.items() if now or then]
    lines = table(["documents", "now", "then"], rows)
    return ["", *lines, "", "The apps will be stopped for some seconds. What there is now is kept as replaced.*."]


def cleanup(cluster: Cluster, variables: Mapping[str, str]) -> int:
    """Removes what restores have left; returns the exit code. Raises LockedError."""

    def work(progress: Progress) -> int:
        with cluster.reach() as hosts, commands.on_router(cluster.env, hosts, progress) as film_library:
            found = json.loads(film_library.run("restore-cleanup", "--dry-run"))
            if not found:
                progress.say(f"nothing to remove for {cluster.env}")
                return 0
            rows = [[name, f"{count:,}"] for name, count in found.items()]
            lines = ["This removes for good:", *table(["collection", "documents"], rows)]
            confirm.ask(cluster.env, variables, lines, "nothing was removed")
            with progress.phase("Remove what restores have left"):
                film_library.run("restore-cleanup")
            if json.loads(film_library.run("restore-cleanup", "--dry-run")):
                progress.say("What restores have replaced is kept: the same command again removes it.")
        return 0

    with exclusive(cluster.env, wait=False):
        return guarded(f"{cluster.env}-restore-cleanup", work, advice="The same command goes on from there.")

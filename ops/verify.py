"""`make backup-verify`: restores a backup into a MongoDB of its own, compares, and writes down that it did."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from ops import commands
from ops.artifacts import mongod_path
from ops.commands import Commands
from ops.local_cluster import LocalCluster
from ops.locks import exclusive
from ops.progress import Progress
from ops.restore import LATEST, Request
from ops.run import guarded


def verify(env: str, request: Request, note: Callable[[str], None]) -> int:
    """Restores with all archived changes unless the request says until when.

    Returns the exit code; calls `note` with the id of the backup that is as it was written. Raises LockedError."""
    began = time.monotonic()

    def work(progress: Progress) -> int:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="film-library-verify-")))
            with progress.phase("Start a MongoDB to restore into"):
                single = LocalCluster(
                    directory / "cluster", mongod=mongod_path(), shards=0, members=1, say=progress.hint
                )
                cluster = stack.enter_context(single)
            uri = {"FILM_LIBRARY_MONGODB_URI": cluster.uri()}
            film_library = stack.enter_context(commands.with_key(env, uri, progress))
            wanted = _with_changes(film_library, request)
            with progress.phase(f"Restore {wanted} and compare"):
                said = film_library.run("restore", *wanted.what(film_library))
            progress.say(f"  {said}")
        with progress.phase("Write down that it is good"):
            note(said.split()[0])
        progress.total(time.monotonic() - began, "verified")
        return 0

    advice = "Nothing is left of it; the same command begins again."
    with exclusive(env, "verify", wait=False):
        return guarded(f"{env}-backup-verify", work, advice=advice)


def _with_changes(film_library: Commands, request: Request) -> Request:
    """The request with all changes that are archived since its backup, if there are any."""
    if request.at:
        return request
    complete = [
        one for one in json.loads(film_library.run("backups", film_library.store, "--json")) if not one["problem"]
    ]
    chosen = [one for one in complete if request.backup in (LATEST, one["id"])]
    newest = max(chosen, key=lambda one: one["at"], default=None)
    if newest is None or newest["restorable_until"] <= newest["at"]:
        return request
    return replace(request, backup=newest["id"], at=LATEST)

"""`make backup`, `backup-fetch` and `backup-list`: the backups of a cluster, and what the controller has of them.

Local hosts keep backups until they are fetched from here, so that no host can reach those that were. On EC2 they are
in S3, and nothing is fetched.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from app.db import backups
from app.db.backups import BackupError, Directory, retention, status
from ops import ssh
from ops.backup_host import STORE
from ops.children import run
from ops.errors import OpsError
from ops.fetching import fetch
from ops.locks import exclusive
from ops.paths import backups_dir
from ops.progress import Say, table


def bring(env: str, host: ssh.Remote, say: Say = print) -> None:
    """Fetches the host's new backups into backups/<env>/, and removes there and here what isn't needed any more.

    Raises OpsError, LockedError.
    """
    into = backups_dir(env)
    with exclusive(env, "backups", wait=False):
        before = set(_names(into))
        fetched = fetch(host, STORE, into)
        for name in sorted(set(_names(into)) - before):
            say(f"fetched {name}")
        try:
            rule = partial(retention.archive, starts=retention.chain_starts(Directory(into)))
            for name in retention.prune(Directory(into), rule, datetime.now(UTC)):
                say(f"removed {name}, which is no longer needed")
            if count := retention.prune_changes(Directory(into)):
                say(f"removed {count} slices of changes, which are no longer needed")
        except BackupError as error:
            raise OpsError(str(error)) from error
    words = [word for name in fetched for word in ("--fetched", name)]
    done = run(host.command("film-library", "prune-backups", STORE, *words))
    if done.returncode != 0:
        raise OpsError(f"{host.name}: {done.stderr.strip()}")


def render(env: str, where: str) -> str:
    """What there is in a store, as a table. Raises OpsError when it can't be read."""
    checked = _verified(env)
    try:
        store = backups.open_store(where, originals=True)
        found = list(backups.overview(store))
        good = [one.manifest for one in found if one.manifest is not None]
        until = backups.restorable(store, good)
    except BackupError as error:
        raise OpsError(str(error)) from error
    notes = [f"{one.id} can't be used: {one.problem}" for one in found if one.manifest is None]
    rows = [
        [
            one.id,
            f"{one.cluster_time.as_datetime():%Y-%m-%d %H:%M:%S}",
            f"{until[one.id]:%Y-%m-%d %H:%M:%S}",
            f"{one.size / 1e6:,.1f} MB",
            f"{one.documents:,}",
            checked.get(one.id, ""),
        ]
        for one in good
    ]
    if not rows:
        return "\n".join(["There is no backup.", *notes])
    lines = table(["backup", "of (UTC)", "up to (UTC)", "size", "documents", "verified (UTC)"], rows)
    return "\n".join([*lines, *notes])


def _verified(env: str) -> dict[str, str]:
    """When the backup that was verified last was, by its id."""
    found = status.read(backups_dir(env))
    return {found.verified_backup: f"{found.verified:%Y-%m-%d %H:%M}"} if found.verified else {}


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()] if directory.is_dir() else []

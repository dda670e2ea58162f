"""The host that makes backups: how they are doing there, and making one now."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from app.db.backups import status
from app.db.backups.ids import is_id, moment
from ops import ssh
from ops.children import child, run
from ops.errors import OpsError
from ops.fleet import inventory_file
from ops.progress import Say

#: On the host that makes backups, as in the role backup.
STORE, STATE = "/var/backups/film-library", "/var/lib/film-library-backup"
UNIT = "film-library-backup.service"

#: Who fetches once a day is in time, also when that takes a while.
UNFETCHED = timedelta(hours=26)

# What the unit says is for people; what came of it is in the status.
_MAKE = f"""
journalctl --quiet --follow --lines=0 --output=cat --unit={UNIT} & follower=$!
systemctl start {UNIT}; code=$?
journalctl --sync; kill $follower; exit $code
"""
# A line for each file, and no more of it than there can be.
_READ_STATUS = (
    f'for name in {" ".join(status.FILES)}; do head -qc 9999 {STATE}/$name 2>/dev/null | tr -d "\\n"; echo; done'
)


def local(env: str) -> ssh.Remote:
    """The local host that makes backups. Raises OpsError when there is no cluster."""
    inventory = yaml.safe_load(inventory_file(env).read_text())["all"]
    name = next(iter(inventory["children"]["web"]["hosts"]))
    return ssh.Remote(name, ssh.command(env, inventory["hosts"][name]["ansible_host"]))


def make(host: ssh.Remote, say: Say = print) -> status.Status:
    """Makes a backup now. Raises OpsError when it fails."""
    before = read_status(host)
    with child(host.command("sh", "-c", _MAKE), stdout=subprocess.PIPE, text=True, errors="replace") as process:
        for line in process.stdout or ():
            say(line.rstrip())
        code = process.wait()
    made = read_status(host)
    if code != 0 or made.backup in ("", before.backup):
        raise OpsError(f"{host.name}: no backup was made: {made.failure or f'see journalctl -u {UNIT} there'}")
    return made


def read_status(host: ssh.Remote) -> status.Status:
    """How backups are doing, as the host says. Raises OpsError when it can't be reached."""
    done = run(host.command("sh", "-c", _READ_STATUS))
    if done.returncode == 255:  # ssh's own
        raise OpsError(f"{host.name} can't be reached: {done.stderr.strip()}")
    return status.parse(dict(zip(status.FILES, done.stdout.splitlines(), strict=True)))


def describe(host: ssh.Remote, into: Path | None) -> tuple[list[str], list[str]]:
    """How backups are doing in sentences, and what is wrong. `into` is where they are fetched to, if they are."""
    now = datetime.now(UTC)
    missing = [] if into is None else _unfetched(into, None, now)
    try:
        found = read_status(host)
    except OpsError as error:
        return [], [f"nobody knows how they are doing: {error}", *missing]
    lines = []
    if found.at:
        lines.append(f"last backup: of {found.at:%Y-%m-%d %H:%M:%S} UTC, {found.documents:,} documents")
    if found.changes_until:
        lines.append(f"a restore can go to any second up to {found.changes_until:%Y-%m-%d %H:%M:%S} UTC")
    if found.verified:
        lines.append(f"verified on {found.verified:%Y-%m-%d}: {found.verified_backup}")
    if into is not None:
        missing = _unfetched(into, found.first, now)
    return lines, found.problems(now) + missing


def _unfetched(into: Path, first: datetime | None, now: datetime) -> list[str]:
    """That backups aren't fetched, unless the first one has been made lately."""
    here = [moment(path.parent.name) for path in into.glob("*/manifest.json") if is_id(path.parent.name)]
    newest = max(here, default=None)
    since = max((time for time in (newest, first) if time), default=None)
    if since is None or now - since <= UNFETCHED:
        return []
    last = f"since that of {newest:%Y-%m-%d %H:%M} UTC" if newest else "yet"
    return [f"none has been fetched {last}: `make backup-fetch` belongs into a crontab"]


def note_verified(host: ssh.Remote, backup: str) -> None:
    """Lets the host know, for its admin app, that a backup was verified now. Raises OpsError."""
    content = json.dumps(status.verified(backup))
    script = f"cat >{STATE}/.verified && chmod 644 {STATE}/.verified && mv {STATE}/.verified {STATE}/{status.VERIFIED}"
    done = run(host.command("sh", "-c", script), stdin=content)
    if done.returncode != 0:
        raise OpsError(f"{host.name}: {done.stderr.strip()}")

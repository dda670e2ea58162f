"""Copies backups from a host, which may be in an intruder's hands: nothing that is here already changes.

Only new, complete backups are taken, and only files with the names of a backup's. Each file appears as a whole, and the
manifest last, so that an interrupted run goes on where it ended.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from app.db.backups import AHEAD, ids
from ops.children import child, run
from ops.errors import OpsError
from ops.progress import Say, quiet
from ops.ssh import Remote

MANIFEST = "manifest.json"

# <id>/movies.bson.zst.age, changes-<id>/00000001.json, changes-<id>/00000001-1a2b3c.bson.zst.age
_NAME = re.compile(
    r"(\d{8}T\d{6}Z-(?:hourly-)?[0-9a-f]{6}|changes-[A-Za-z0-9-]{1,60})/([A-Za-z0-9_%-][A-Za-z0-9_%.-]{0,199})"
)


class FetchError(OpsError):
    """The host's backups can't be listed or copied."""


def fetch(host: Remote, store: str, into: Path, say: Say = quiet) -> list[str]:
    """Copies what is new in the host's directory `store`; returns what of it is here, as `fetched` does.

    Raises FetchError.
    """
    there = _list(host, store)
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    here = {str(path.relative_to(into)) for path in into.glob("*/*")}
    wanted = missing(there, here, datetime.now(UTC))
    sizes = {name: there[name] for name in wanted}
    free = shutil.disk_usage(into).free
    if sum(sizes.values()) > free:
        raise FetchError(f"{into} has {free:,} bytes free; the new backups have {sum(sizes.values()):,}")
    if wanted:
        _copy(host, store, into, sizes, say)
    return fetched(there, {str(path.relative_to(into)) for path in into.glob("*/*")})


def fetched(there: Collection[str], here: Collection[str]) -> list[str]:
    """What the host needs no longer keep: ids of backups, and the last slice of each chain before the first missing."""
    found = sorted(name.partition("/")[0] for name in there if name.endswith(f"/{MANIFEST}") and name in here)
    last: dict[str, str] = {}
    missing_from: set[str] = set()
    for name in sorted(name for name in there if name.startswith("changes-") and name.endswith(".json")):
        chain, _, file = name.partition("/")
        if name not in here:
            missing_from.add(chain)
        elif chain not in missing_from:
            last[chain] = file.removesuffix(".json")
    return found + [f"{chain}/{number}" for chain, number in sorted(last.items())]


def missing(there: Mapping[str, int], here: Collection[str], now: datetime) -> list[str]:
    """Which of the host's files to copy, in this order.

    A full backup counts when it is complete, and newer than all that are here: an older one that appears only now
    isn't the backup of a moment that has passed. Of changes, slices count that are complete.
    """
    complete = {name.partition("/")[0] for name in here if name.endswith(f"/{MANIFEST}")}
    newest = max((ids.moment(backup) for backup in complete), default=None)
    wanted = []
    for name in there:
        directory, _, file = name.partition("/")
        if name in here:
            continue
        if directory.startswith("changes-"):
            if f"{directory}/{file[:8]}.json" in there:
                wanted.append(name)
        elif f"{directory}/{MANIFEST}" in there:
            at = ids.moment(directory)
            if at <= now + AHEAD and (newest is None or at > newest):
                wanted.append(name)
    # Manifests, and what describes a slice, come after what they describe.
    return sorted(wanted, key=lambda name: (name.partition("/")[0], name.endswith(f"/{MANIFEST}"), name))


def _list(host: Remote, store: str) -> dict[str, int]:
    """Sizes of the files in a host's store by name; other names than a backup's are left out."""
    done = run(host.command("find", store, "-mindepth", "2", "-maxdepth", "2", "-type", "f", "-printf", r"%s %P\0"))
    if done.returncode != 0:
        raise FetchError(f"{host.name}: {store} can't be listed: {done.stderr.strip()}")
    found = {}
    for line in done.stdout.split("\0"):
        size, _, name = line.partition(" ")
        if _NAME.fullmatch(name) and size.isdecimal():
            found[name] = int(size)
    return found


def _copy(host: Remote, store: str, into: Path, sizes: Mapping[str, int], say: Say) -> None:
    """Copies files in the order of `sizes`, which are what they must have."""
    command = host.command("tar", "--create", "--file=-", f"--directory={store}", "--no-recursion", "--files-from=-")
    left = dict(sizes)
    with tempfile.TemporaryFile("w+") as names:
        names.write("".join(f"{name}\n" for name in sizes))
        names.seek(0)
        with child(command, stdin=names, stdout=subprocess.PIPE) as process, cast(IO[bytes], process.stdout) as stream:
            try:
                for member, source in _members(stream):
                    if member.size != left.pop(member.name, None):
                        raise FetchError(f"{host.name} sent {member.name!r:.200} instead of what it listed")
                    say(f"fetching {member.name}")
                    _write(into / member.name, source)
            except tarfile.TarError as error:
                raise FetchError(f"{host.name}: the connection ended ({error})") from error
            process.wait()
    if left:
        raise FetchError(f"{host.name} didn't send {min(left)}")


def _members(stream: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The regular files of an archive; others are passed over."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            if member.isreg() and (source := archive.extractfile(member)) is not None:
                yield member, source


def _write(path: Path, source: IO[bytes]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        shutil.copyfileobj(source, file, 2**20)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)

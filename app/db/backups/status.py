"""How backups are doing: what the host that makes them writes down, and what is wrong with it.

A directory on that host has a file each for full backups, for the archived changes and for verification. The archiver
writes the first one, too, when it has made a full backup. Whoever reads them needs no right to the backups themselves.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from app.db.backups.manifest import Manifest

FULL, CHANGES, VERIFIED = "status.json", "changes.json", "verified.json"
FILES = (FULL, CHANGES, VERIFIED)

#: Backups are made every hour, and slices of changes every 5 minutes; a weekly timer verifies.
OLD, CHANGES_OLD, UNVERIFIED = timedelta(hours=2), timedelta(minutes=20), timedelta(days=8)


@dataclass(frozen=True)
class Status:
    """What was written down last. Times are in UTC, and None where something never happened.

    `at` is the moment of which the last good backup is, `first` that of the first one; `failure` is why a later run
    failed. A restore can go to any second up to `changes_until`; `gap` says which changes are missing.
    """

    backup: str = ""
    at: datetime | None = None
    first: datetime | None = None
    documents: int = 0
    size: int = 0
    failure: str = ""
    archives_changes: bool = False
    changes_until: datetime | None = None
    gap: str = ""
    verified_backup: str = ""
    verified: datetime | None = None

    def problems(self, now: datetime) -> list[str]:
        """What somebody should look at, in sentences; empty if all is well."""
        if self.at is None or self.first is None:
            return [f"no backup has been made{f': {self.failure}' if self.failure else ''}"]
        found = []
        if now - self.at > OLD:
            found.append(f"the last backup is of {_words(self.at)}{f': {self.failure}' if self.failure else ''}")
        if self.gap:
            found.append(f"changes are missing: {self.gap}")
        if now - (self.changes_until or self.first) > CHANGES_OLD:
            until = f"up to {_words(self.changes_until)} only" if self.changes_until else "not at all"
            found.append(f"changes are archived {until}")
        if now - (self.verified or self.first) > UNVERIFIED:
            found.append(
                f"no backup has been verified since {_words(self.verified)}" if self.verified else NEVER_VERIFIED
            )
        return found


NEVER_VERIFIED = "no backup has ever been verified"


def read(directory: Path) -> Status:
    """The status in a directory; what is missing or damaged counts as never written."""
    texts = {}
    for name in FILES:
        with suppress(OSError, UnicodeDecodeError):
            texts[name] = (directory / name).read_text(encoding="utf-8")
    return parse(texts)


def parse(texts: Mapping[str, str]) -> Status:
    """The status in the texts of the files, by name; what is missing or damaged counts as never written."""
    full, changes, verified = (_parse(texts.get(name, "")) for name in FILES)
    gap = changes.get("gap")
    return Status(
        backup=str(full.get("backup", "")),
        at=_time(full, "at"),
        first=_time(full, "first"),
        documents=_number(full, "documents"),
        size=_number(full, "bytes"),
        failure=str(full.get("failure", "")),
        archives_changes=bool(changes),
        changes_until=_time(changes, "covered_until"),
        gap=f"{gap.get('from')} to {gap.get('to')} ({gap.get('reason')})" if isinstance(gap, dict) else "",
        verified_backup=str(verified.get("backup", "")),
        verified=_time(verified, "at"),
    )


def note_backup(file: Path, made: Manifest) -> None:
    """Write down a good backup. Raises OSError."""
    at = made.cluster_time.as_datetime().isoformat()
    first = _read(file).get("first", at)
    content = {"backup": made.id, "at": at, "first": first, "documents": made.documents, "bytes": made.size}
    write(file, content)


def note_failure(file: Path, message: str) -> None:
    """Write down that a run failed, beside the last good backup. Raises OSError."""
    write(file, _read(file) | {"failure": message})


def note_verified(file: Path, backup: str) -> None:
    """Write down that a backup was verified now. Raises OSError."""
    write(file, verified(backup))


def verified(backup: str) -> dict[str, str]:
    """What says that a backup was verified now."""
    return {"backup": backup, "at": datetime.now(UTC).isoformat(timespec="seconds")}


def write(file: Path, content: Mapping[str, Any]) -> None:
    """Replace a file of the status, readable for everybody. Raises OSError."""
    with NamedTemporaryFile("w", dir=file.parent, prefix=f".{file.name}.", delete=False, encoding="utf-8") as part:
        try:
            part.write(json.dumps(content) + "\n")
            part.flush()
            os.fchmod(part.fileno(), 0o644)
            os.fsync(part.fileno())
            Path(part.name).replace(file)
        except BaseException:
            Path(part.name).unlink(missing_ok=True)
            raise


def _read(file: Path) -> dict[str, Any]:
    try:
        return _parse(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return {}


def _parse(text: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _time(content: Mapping[str, Any], name: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(content.get(name, "")))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _number(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    return value if isinstance(value, int) else 0


def _words(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"

"""The ids of full backups: 20261129T003456Z-1a2b3c, the first of a day, and 20261129T013456Z-hourly-1a2b3c.

A bucket's life cycle knows nothing else of a backup than its name, so that the name says how long it stays.
"""

import re
import secrets
from datetime import UTC, datetime

from app.db.backups.errors import BackupError

_HOURLY = "hourly-"
_ID = re.compile(rf"\d{{8}}T\d{{6}}Z-({_HOURLY})?[0-9a-f]{{6}}")  # also keeps "..", "/" and the like out of paths


def new_id(at: datetime, *, hourly: bool) -> str:
    """An id for a backup of a moment in UTC. The others of a day than the first are `hourly`."""
    return f"{at:%Y%m%dT%H%M%SZ}-{_HOURLY if hourly else ''}{secrets.token_hex(3)}"


def is_hourly(name: str) -> bool:
    """Whether it is the id of a backup that is kept for a day only where an id decides, as in S3."""
    return is_id(name) and _HOURLY in name


def check_id(backup: str) -> None:
    """Raises BackupError unless it is the id of a backup."""
    if not is_id(backup):
        raise BackupError(f"{backup!r:.80} isn't the id of a backup, such as 20261129T123456Z-1a2b3c")


def is_id(name: str) -> bool:
    """Whether a name in a store is that of a full backup."""
    if _ID.fullmatch(name) is None:
        return False
    try:
        moment(name)
    except ValueError:  # month 13
        return False
    return True


def moment(backup: str) -> datetime:
    """The moment that the id of a backup names, in UTC. Raises ValueError when there is no such day or time."""
    return datetime.strptime(backup.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

"""What was changed when: by this an operator finds the second before the damage."""

from collections import Counter
from datetime import UTC, datetime

from bson.raw_bson import RawBSONDocument

from app.db.backups.changes.cover import Cover


def activity(cover: Cover, seconds: int = 60) -> dict[datetime, Counter[str]]:
    """The number of changes by kind, for each period of so many seconds (UTC) in which there were any.

    Kinds are MongoDB's: insert, update, replace, delete, and others that end a chain. Raises Damaged, WrongKey,
    BackupError.
    """
    found: dict[datetime, Counter[str]] = {}

    def count(event: RawBSONDocument) -> None:
        time = event["clusterTime"]
        if time > cover.since:
            begin = datetime.fromtimestamp(time.time - time.time % seconds, UTC)
            found.setdefault(begin, Counter())[event["operationType"]] += 1

    for one in cover.slices:
        cover.read(one, count)
    return dict(sorted(found.items()))

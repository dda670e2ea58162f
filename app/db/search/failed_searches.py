"""Searches of the user app that found nothing: hints for what the library could add. Who searched isn't stored."""

from contextlib import suppress
from datetime import timedelta

from pymongo import IndexModel

from app.db.core import DatabaseError, Row, check_limit, driver_errors, get_collection, now, time_limit, tokenize

NAME = "search_misses"  # {_id: the words, count, last_at}
KEEP = timedelta(days=90)  # after the last time that somebody searched for it
INDEXES = (
    IndexModel("last_at", expireAfterSeconds=int(KEEP.total_seconds())),
    IndexModel([("count", -1), ("last_at", -1)]),
)

MAX_TERMS = 10_000  # beyond that only known ones are counted, so that a bot can't fill the disk
MAX_LENGTH = 200  # characters
RECORD_TIMEOUT_S = 1.0


def record(text: str) -> None:
    """Count a search. Case, accents and punctuation are ignored.

    Neither raises database errors nor takes long: a lost count is better than a failed search page.
    """
    words = " ".join(tokenize(text))[:MAX_LENGTH]
    if not words:
        return
    with suppress(DatabaseError), driver_errors(), time_limit(RECORD_TIMEOUT_S):
        terms = get_collection(NAME)
        room = terms.estimated_document_count() < MAX_TERMS
        terms.update_one({"_id": words}, {"$inc": {"count": 1}, "$set": {"last_at": now()}}, upsert=room)


@driver_errors()
def most_wanted(limit: int = 20) -> list[Row]:
    """The most frequent failed searches: [{_id: the words, count, last_at}]."""
    check_limit(limit)
    return list(get_collection(NAME).find().sort([("count", -1), ("last_at", -1)]).limit(limit))

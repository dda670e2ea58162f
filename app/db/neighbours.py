"""Which films go with which: computed in the background from what people like, and swapped in whole.

A generation is written beside the one in use; then one document, CURRENT, is replaced, and readers go by the new one.
The generation before it stays until the next swap, for whoever has just read its name.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from uuid import uuid4

from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from app.db.connection import Row, driver_errors, get_collection, time_limit
from app.db.errors import DatabaseError
from app.db.models import now

NAME = "neighbours"  # {_id: "<generation>:<film>", generation, near: [[film, weight], ...]}, CURRENT and LOCK
INDEXES: dict[str, list[IndexModel]] = {NAME: [IndexModel("generation")]}

# {_id, generation, previous, digest, at, users, likes, films, popular: [[film, weight], ...]}
CURRENT = "current"
LOCK = "lock"  # {_id, owner, until}
LEASE = timedelta(minutes=5)
BATCH = 1_000  # documents
BATCH_TIMEOUT_S = 120.0

Near = list[tuple[str, float]]  # film ids with their weights, heaviest first


class Busy(DatabaseError):
    """Somebody else computes at this moment."""


@dataclass(frozen=True)
class Known:
    """What likes tell: the films that go with each of those asked for, and those that most people like."""

    near: dict[str, Near] = field(default_factory=dict)
    popular: Near = field(default_factory=list)
    users: int = 0


@driver_errors()
def read(film_ids: Sequence[str]) -> Known:
    """What is known about these films: nothing at all before the first generation."""
    current = get_collection(NAME).find_one({"_id": CURRENT})
    if current is None:
        return Known()
    prefix = f"{current['generation']}:"
    rows = get_collection(NAME).find({"_id": {"$in": [f"{prefix}{film_id}" for film_id in film_ids]}}, {"near": 1})
    near = {row["_id"].removeprefix(prefix): [(film, weight) for film, weight in row["near"]] for row in rows}
    return Known(near, [(film, weight) for film, weight in current["popular"]], current["users"])


@driver_errors()
def digest() -> str | None:
    """What the generation in use was computed from; None when there is none."""
    current = get_collection(NAME).find_one({"_id": CURRENT}, {"digest": 1})
    return None if current is None else str(current["digest"])


class Writer:
    """Computing alone: made by `hold`. Every method renews the lease, and raises Busy when somebody else has it."""

    def __init__(self, owner: str) -> None:
        self._owner = owner

    def renew(self) -> None:
        """Say that the work goes on."""
        own = {"_id": LOCK, "owner": self._owner}
        if not get_collection(NAME).update_one(own, {"$set": {"until": now() + LEASE}}).matched_count:
            raise Busy("another process has taken over")

    @driver_errors()
    def replace(self, near: Iterable[tuple[str, Near]], popular: Near, **facts: object) -> int:
        """Put a whole new generation in place of the one in use; returns how many films it knows about."""
        films, generation = 0, uuid4().hex
        previous = get_collection(NAME).find_one({"_id": CURRENT}, {"generation": 1})
        rows = (
            {"_id": f"{generation}:{film}", "generation": generation, "near": [list(pair) for pair in pairs]}
            for film, pairs in near
        )
        for batch in _batches(rows):
            self.renew()
            with time_limit(BATCH_TIMEOUT_S):
                get_collection(NAME).insert_many(batch, ordered=False)
            films += len(batch)
        self.renew()
        current = {
            **facts,
            "generation": generation,
            "films": films,
            "at": now(),
            "popular": [list(p) for p in popular],
        }
        get_collection(NAME).replace_one({"_id": CURRENT}, current, upsert=True)
        kept = [generation, *([previous["generation"]] if previous else [])]
        with time_limit(BATCH_TIMEOUT_S):  # also what an interrupted run has left
            get_collection(NAME).delete_many({"generation": {"$exists": True, "$nin": kept}, "_id": {"$ne": CURRENT}})
        return films


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


@driver_errors()
def hold() -> Writer:
    """Be the only one who computes, until `release` or LEASE after the last sign of life. Raises Busy."""
    owner, moment = uuid4().hex, now()
    try:
        get_collection(NAME).update_one(
            {"_id": LOCK, "until": {"$not": {"$gt": moment}}},
            {"$set": {"owner": owner, "until": moment + LEASE}},
            upsert=True,
        )
    except DuplicateKeyError as error:
        raise Busy("it is being computed at this moment, by another process") from error
    return Writer(owner)


@driver_errors()
def release(writer: Writer) -> None:
    """Let others compute."""
    get_collection(NAME).delete_one({"_id": LOCK, "owner": writer._owner})

"""The stored neighbours of films: computed in the background from likes, and replaced as one generation.

A new generation is written beside the one in use; then the document CURRENT is replaced, and readers use the new one.
The previous generation stays until the next swap, for readers that have just read its name. Within a generation films
are identified by their place, and lists are packed arrays: a thousand neighbours take 8 kB and no time to decode.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from uuid import uuid4

import numpy as np
from pymongo import IndexModel
from pymongo.errors import DuplicateKeyError

from app.db.core import DatabaseError, Row, driver_errors, get_collection, now, time_limit
from app.recommender import scoring
from app.recommender.neighbours import Neighbours, Weights

# {_id: "<generation>:<film>", generation, place, places: packed int32, weights: packed float32}; CURRENT; LOCK
NAME = "neighbours"
INDEXES: dict[str, list[IndexModel]] = {NAME: [IndexModel([("generation", 1), ("place", 1)])]}

CURRENT = "current"  # {_id, in_use: generation, priors: packed float32, films, users, likes, digest, at}
LOCK = "lock"  # {_id, owner, until}
LEASE = timedelta(hours=1)  # longer than any part of the work; a dead process blocks others for this long
BATCH = 1_000  # documents: 8 MB
BATCH_TIMEOUT_S = 120.0
MOST_PRIORS = 50_000  # stored; all other films count as liked as little as the last of these
FORMAT = 1  # of the storage format; increase it to make stored neighbours outdated
_PLACE, _WEIGHT = np.dtype("<i4"), np.dtype("<f4")


class Busy(DatabaseError):
    """Another process is computing neighbours."""


@dataclass(frozen=True)
class Known:
    """The rows of the requested films that have neighbours, and every film's prior by its place."""

    generation: str = ""
    priors: Weights = field(default_factory=lambda: np.zeros(0, np.float32))
    rows: dict[str, scoring.Row] = field(default_factory=dict)

    @driver_errors()
    def films(self, places: Iterable[int]) -> dict[int, str]:
        """The ids of the films at these places."""
        query = {"generation": self.generation, "place": {"$in": list(places)}}
        rows = get_collection(NAME).find(query, {"place": 1})
        return {row["place"]: row["_id"].removeprefix(f"{self.generation}:") for row in rows}

    @driver_errors()
    def places(self, film_ids: Iterable[str]) -> list[int]:
        """The places of the films among these that have one."""
        query = {"_id": {"$in": [f"{self.generation}:{film_id}" for film_id in film_ids]}}
        return [row["place"] for row in get_collection(NAME).find(query, {"place": 1})]


@driver_errors()
def read(film_ids: Iterable[str]) -> Known:
    """The stored neighbours of these films; empty before the first generation."""
    current = get_collection(NAME).find_one({"_id": CURRENT}, {"in_use": 1, "priors": 1, "films": 1})
    if current is None or not current["films"]:
        return Known()
    stored = np.frombuffer(current["priors"], _WEIGHT)
    priors = np.pad(stored, (0, current["films"] - len(stored)), mode="edge")
    prefix = f"{current['in_use']}:"
    found = get_collection(NAME).find({"_id": {"$in": [f"{prefix}{film_id}" for film_id in film_ids]}})
    rows = {row["_id"].removeprefix(prefix): _unpacked(row) for row in found}
    return Known(current["in_use"], priors, rows)


def _unpacked(row: Row) -> scoring.Row:
    return scoring.Row(np.frombuffer(row["places"], _PLACE), np.frombuffer(row["weights"], _WEIGHT))


@driver_errors()
def closest(film_id: str, limit: int) -> list[str]:
    """The ids of this film's nearest neighbours, best first; none if too few people like it."""
    # Without the priors, which are most of CURRENT and not needed for one film.
    current = get_collection(NAME).find_one({"_id": CURRENT}, {"in_use": 1})
    stored = current and get_collection(NAME).find_one({"_id": f"{current['in_use']}:{film_id}"})
    if not current or not stored:
        return []
    row = _unpacked(stored)
    places = row.places[np.argsort(-row.weights, kind="stable")[:limit]].tolist()
    films = Known(current["in_use"]).films(places)
    return [films[place] for place in places if place in films]


@driver_errors()
def digest() -> str | None:
    """What the generation in use was computed from; None if there is none."""
    current = get_collection(NAME).find_one({"_id": CURRENT}, {"digest": 1})
    return None if current is None else str(current["digest"])


class Writer:
    """The exclusive right to compute; see `alone`."""

    def __init__(self, owner: str) -> None:
        self.owner = owner

    @driver_errors()
    def renew(self) -> None:
        """Renew the lease. Raises Busy when it has been lost."""
        own = {"_id": LOCK, "owner": self.owner}
        if not get_collection(NAME).update_one(own, {"$set": {"until": now() + LEASE}}).matched_count:
            raise Busy("another process has taken over")

    def replace(self, film_ids: Sequence[str], found: Neighbours, **facts: object) -> Iterator[int]:
        """Replace the generation in use; yields the number of films written after each batch.

        `film_ids` maps `found`'s film numbers to ids; `facts` are stored with CURRENT.
        Raises Busy when the lease has been lost; the generation in use stays then.
        """
        generation = uuid4().hex
        written = 0
        for batch in _batches(_documents(generation, film_ids, found)):
            self.renew()
            with driver_errors(), time_limit(BATCH_TIMEOUT_S):
                get_collection(NAME).insert_many(batch, ordered=False)
            written += len(batch)
            yield written
        self.renew()
        before = _use(generation, films=written, priors=found.priors[:MOST_PRIORS].astype(_WEIGHT).tobytes(), **facts)
        self._keep(generation, *before)

    def _keep(self, *generations: str) -> None:
        """Remove all other generations, including what an interrupted run left."""
        others = {"generation": {"$exists": True, "$nin": list(generations)}}
        with driver_errors():
            gone = get_collection(NAME).find(others, {"_id": 1})
            for batch in _batches(gone):
                self.renew()
                with time_limit(BATCH_TIMEOUT_S):
                    get_collection(NAME).delete_many({"_id": {"$in": [row["_id"] for row in batch]}})


@driver_errors()
def _use(generation: str, **values: object) -> list[str]:
    """Switch to the new generation; returns the previous one, if any."""
    before = get_collection(NAME).find_one_and_replace(
        {"_id": CURRENT}, {"in_use": generation, "at": now(), **values}, projection={"in_use": 1}, upsert=True
    )
    return [before["in_use"]] if before else []


def _documents(generation: str, film_ids: Sequence[str], found: Neighbours) -> Iterator[Row]:
    for place, (film, (places, weights)) in enumerate(zip(found.films.tolist(), found.rows, strict=True)):
        yield {
            "_id": f"{generation}:{film_ids[film]}",
            "generation": generation,
            "place": place,
            "places": places.astype(_PLACE).tobytes(),
            "weights": weights.astype(_WEIGHT).tobytes(),
        }


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        yield batch


@contextmanager
def alone() -> Iterator[Writer]:
    """Hold the exclusive right to compute, until LEASE after the last `renew` at most. Raises Busy."""
    writer = _hold()
    try:
        yield writer
    finally:
        with driver_errors():
            get_collection(NAME).delete_one({"_id": LOCK, "owner": writer.owner})


@driver_errors()
def _hold() -> Writer:
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

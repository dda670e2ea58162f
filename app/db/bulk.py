"""Writing many documents fast: validated on the way, in unordered batches, by two threads. Existing ones stay."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import astuple, dataclass
from itertools import islice
from typing import Any

from pymongo.errors import BulkWriteError

from app.db import claims
from app.db.connection import Row, driver_errors, get_collection, time_limit
from app.db.errors import DatabaseError, ValidationFailed
from app.db.models import Credit, Movie, UserInteraction, get_model
from app.db.validation import prepare

BATCH = 2_000  # documents; more gains nothing, and a message to a router stays well under 48 MB
WORKERS = 2  # one encodes while the other waits for the database
BATCH_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Malformed:
    """What a source yields in place of a document that it couldn't make sense of."""

    value: str
    reason: str


Numbered = tuple[int, Any]
"""A document (or Malformed) and where it stands in its source: line of a file, or position."""


@dataclass
class Counts:
    """What became of the documents of one load."""

    inserted: int = 0
    existing: int = 0
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def total(self) -> int:
        return self.inserted + self.existing + self.rejected


@dataclass(frozen=True)
class Reject:
    """One reason why a document was not taken. `field` is its name in the database; `value` what was there."""

    line: int
    field: str
    value: Any
    reason: str


class LoadStopped(DatabaseError):
    """A load ended early; `counts` is what had been acknowledged by then. A second run completes it."""

    def __init__(self, counts: Counts, reason: str) -> None:
        self.counts = counts
        super().__init__(reason)


def load(
    name: str,
    documents: Iterable[Numbered],
    *,
    on_progress: Callable[[int], None] = lambda done: None,
    on_reject: Callable[[Reject], None] = lambda reject: None,
) -> Counts:
    """Put documents into collection `name`, skipping those that are there already.

    `on_progress` is called with the number of documents dealt with since the last call, `on_reject` with every reason
    for not taking one; never two calls at a time. Raises LoadStopped when the database or the source of the documents
    fails, or on KeyboardInterrupt.
    """
    get_model(name)
    counts, lock, stop = Counts(), threading.Lock(), threading.Event()

    def work(batch: list[Numbered]) -> None:
        nonlocal counts
        if stop.is_set():
            return
        result, rejects = _insert_batch(name, batch)
        with lock:
            counts += result
            for reject in rejects:
                on_reject(reject)
            on_progress(result.total)

    with ThreadPoolExecutor(WORKERS, thread_name_prefix="load") as pool:
        pending: set[Future[None]] = set()
        try:
            for batch in _batches(documents):
                pending.add(pool.submit(work, batch))
                pending = _settle(pending, WORKERS)
            _settle(pending, 0)
        except (KeyboardInterrupt, DatabaseError) as error:
            stop.set()
            pool.shutdown(wait=True)  # batches that are under way end first, and count
            raise LoadStopped(counts, str(error) or "interrupted") from error
    return counts


def _settle(pending: set[Future[None]], limit: int) -> set[Future[None]]:
    """Wait until at most `limit` batches are under way. Raises what one of the others raised."""
    while len(pending) > limit:
        finished, pending = wait(pending, return_when=FIRST_COMPLETED)
        for future in finished:
            future.result()
    return pending


def _batches(documents: Iterable[Numbered]) -> Iterator[list[Numbered]]:
    iterator = iter(documents)
    while batch := list(islice(iterator, BATCH)):
        yield batch


@driver_errors()
def _insert_batch(name: str, batch: list[Numbered]) -> tuple[Counts, list[Reject]]:
    rejects: list[Reject] = []
    valid: list[tuple[int, Row]] = []
    for line, item in batch:
        if isinstance(item, Malformed):
            rejects.append(Reject(line, "", item.value, item.reason))
            continue
        try:
            valid.append((line, prepare(name, item)))
        except ValidationFailed as error:
            rejects += [Reject(line, field, item.get(field), reason) for field, reason in error.errors.items()]
    # The driver keeps its time limit in a context variable, which threads don't inherit.
    with time_limit(BATCH_TIMEOUT_S):
        accepted, refused = _check_references(name, valid)
        missing = _missing(name, [document for _, document in accepted])
        inserted = _insert(name, missing) if missing else 0
    counts = Counts(inserted, len(accepted) - inserted, len(batch) - len(accepted))
    return counts, rejects + refused


def _check_references(name: str, batch: list[tuple[int, Row]]) -> tuple[list[tuple[int, Row]], list[Reject]]:
    """Leave out films whose `_id` is another film's, and credits and interactions of films that don't exist."""
    if not batch:
        return [], []
    if get_model(name) is Movie:
        key, reason = "_id", "is the id of another film"
        # Backwards, so that of two films with one id the first counts.
        owners = claims.claim({document["_id"]: document["title_hash"] for _, document in reversed(batch)})
        good = [row for row in batch if owners[row[1]["_id"]] == row[1]["title_hash"]]
    elif get_model(name) in (Credit, UserInteraction):
        key, reason = "movie_id", "there is no such film"
        ids = list({document["movie_id"] for _, document in batch})
        films = {row["_id"] for row in get_collection("movies").find({"_id": {"$in": ids}}, {"_id": 1})}
        good = [row for row in batch if row[1]["movie_id"] in films]
    else:
        return batch, []
    accepted = {line for line, _ in good}
    return good, [Reject(line, key, row[key], reason) for line, row in batch if line not in accepted]


def _missing(name: str, documents: list[Row]) -> list[Row]:
    """Those that are not in the collection. Asking first is much cheaper than a duplicate key error each."""
    if not documents:
        return []
    key = _identity(name)
    values = list({document[key[0]] for document in documents})
    projection = {"_id": 0, **dict.fromkeys(key, 1)}  # the unique index holds it all: no document is read
    found = {tuple(map(row.get, key)) for row in get_collection(name).find({key[0]: {"$in": values}}, projection)}
    return [document for document in documents if tuple(map(document.get, key)) not in found]


def _identity(name: str) -> list[str]:
    """The fields that no two documents share."""
    unique = [index["fields"] for index in get_model(name)._meta["index_specs"] if index.get("unique")]
    return [field for field, _ in unique[0]] if unique else ["_id"]


def _insert(name: str, documents: list[Row]) -> int:
    """Insert; returns how many were. Those that somebody else inserted meanwhile, or that come twice, are left out."""
    try:
        return len(get_collection(name).insert_many(documents, ordered=False).inserted_ids)
    except BulkWriteError as error:
        details = error.details
        if any(problem["code"] != claims.DUPLICATE_KEY for problem in details["writeErrors"]):
            raise
        if details["writeConcernErrors"]:
            raise
        inserted: int = details["nInserted"]
        return inserted

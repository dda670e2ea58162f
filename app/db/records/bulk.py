"""Fast loading of many documents: validated, in unordered batches, by two threads. Existing ones stay."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

from app.db.core import (
    ALIASES,
    DatabaseError,
    Duplicate,
    Movie,
    Row,
    ValidationFailed,
    driver_errors,
    get_collection,
    get_model,
    insert_missing,
    prepare,
    time_limit,
)
from app.db.records.acceptance import Refused, claim, identity, of_others, unreferenced
from app.db.records.documents import add
from app.db.records.loads import START, Batch, Counts, LoadStopped, Malformed, Numbered, Reject, Rejected, Settled

BATCH = 2_000  # documents; larger ones gain nothing, and messages to a router stay well under 48 MB
WORKERS = 2  # one encodes while the other waits for the database
BATCH_TIMEOUT_S = 120.0
SHOWN = 80  # characters of a malformed record


def load(
    name: str,
    documents: Iterable[Numbered],
    *,
    on_new: Callable[[list[Row]], None] = lambda rows: None,
    on_progress: Callable[[Settled], None] = lambda settled: None,
    on_reject: Callable[[Reject], None] = lambda reject: None,
) -> Counts:
    """Insert documents into collection `name`, skipping existing ones. As `load_batches`."""
    return load_batches(name, _batches(documents), on_new=on_new, on_progress=on_progress, on_reject=on_reject)


def load_batches(
    name: str,
    batches: Iterable[Batch],
    *,
    begin: Settled = START,
    strict: bool = False,
    on_new: Callable[[list[Row]], None] = lambda rows: None,
    on_progress: Callable[[Settled], None] = lambda settled: None,
    on_reject: Callable[[Reject], None] = lambda reject: None,
) -> Counts:
    """Insert documents into collection `name`, skipping existing ones. Returns the counts, including `begin.counts`.

    `on_new` is called with each batch's new documents after they are written, by one thread at a time.

    `on_reject` is called with every reason for rejecting a document, then `on_progress` when its batch is settled; in
    the documents' order, by the calling thread. If either raises an error, the load ends and nothing more is written.
    A `strict` load ends at the first rejected document and inserts none after it.
    Raises LoadStopped when the database or the source fails, for Rejected, or on KeyboardInterrupt.
    """
    get_model(name)
    acknowledged, lock, stop = begin.counts, threading.Lock(), threading.Event()
    under_way = threading.Semaphore(WORKERS)
    settled, only_new = begin, False

    def work(batch: Batch, expect_new: bool) -> tuple[Counts, list[Reject]]:
        nonlocal acknowledged
        with under_way:
            if stop.is_set():
                return Counts(), []
            counts, new, rejects = _insert_batch(name, batch.documents, strict, expect_new)
            with lock:  # here rather than in `settle`: Ctrl-C can't come between writing and counting
                acknowledged += counts
                on_new(new)
            return counts, rejects

    def end() -> None:
        """Let running batches finish and be counted. The pool doesn't know a thread whose start Ctrl-C interrupted."""
        stop.set()
        for _ in range(WORKERS):
            under_way.acquire()
        under_way.release(WORKERS)

    def settle(batch: Batch, future: "Future[tuple[Counts, list[Reject]]]") -> None:
        nonlocal settled, only_new
        counts, rejects = future.result()
        for reject in rejects:
            on_reject(reject)
        if strict and rejects:
            raise Rejected(rejects[0])
        settled = Settled(settled.documents + counts.total, batch.position, settled.counts + counts)
        only_new = counts.existing == 0
        on_progress(settled)

    source = _UpToFlaw(batches)
    ahead = 0 if strict else WORKERS
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="load") as pool:
        pending: deque[tuple[Batch, Future[tuple[Counts, list[Reject]]]]] = deque()
        try:
            for batch in source:
                pending.append((batch, pool.submit(work, batch, only_new)))
                while len(pending) > ahead:
                    settle(*pending.popleft())
            while pending:
                settle(*pending.popleft())
            if source.flaw:
                raise source.flaw
        except BaseException as error:
            end()
            if isinstance(error, KeyboardInterrupt | DatabaseError):
                raise LoadStopped(acknowledged, settled, str(error) or "interrupted") from error
            raise
    return settled.counts


class _UpToFlaw:
    """The batches of a source up to its flaw, if any: everything before it is still written."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self._batches = batches
        self.flaw: DatabaseError | None = None

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from self._batches
        except DatabaseError as error:
            self.flaw = error


def _batches(documents: Iterable[Numbered]) -> Iterator[Batch]:
    iterator, position = iter(documents), 0
    while batch := list(islice(iterator, BATCH)):
        position += len(batch)
        yield Batch(batch, position)


@driver_errors()
def _insert_batch(
    name: str, batch: list[Numbered], strict: bool, expect_new: bool
) -> tuple[Counts, list[Row], list[Reject]]:
    documents: dict[int, Row] = {}  # by place in the batch
    refused: Refused = {}
    for place, (_, item) in enumerate(batch):
        try:
            documents[place] = _prepared(name, item)
        except ValidationFailed as error:
            refused[place] = error.errors
            if strict:
                break
    # The driver's time limit is a context variable, which threads don't inherit.
    with time_limit(BATCH_TIMEOUT_S):
        if get_model(name) is Movie:
            new, taken = claim(documents, expect_new)
            refused |= taken
        else:
            new = set()
            refused |= of_others(name, documents) | unreferenced(name, documents)
        if strict and refused:
            first = min(refused)
            documents = {place: document for place, document in documents.items() if place < first}
            refused = {first: refused[first]}
        accepted = [document for place, document in documents.items() if place not in refused]
        missing = _missing(name, accepted, new)
        inserted = _insert_missing(name, missing, new)
    counts = Counts(inserted, len(accepted) - inserted, len(refused))
    rejects = [reject for place in sorted(refused) for reject in _rejects(name, batch[place], refused[place])]
    return counts, missing, rejects


def _prepared(name: str, item: Any) -> Row:
    if isinstance(item, Malformed):
        raise ValidationFailed({"": item.reason})
    return prepare(name, item)


def _rejects(name: str, numbered: Numbered, reasons: dict[str, str]) -> Iterator[Reject]:
    line, item = numbered
    for field, reason in reasons.items():
        yield Reject(line, field, _refused_value(name, item, field), reason, item)


def _refused_value(name: str, item: Any, field: str) -> Any:
    if isinstance(item, Malformed):
        return item.text[:SHOWN].strip()
    names = [field, *(alias for alias, known in ALIASES.get(get_model(name), {}).items() if known == field)]
    return next((item[given] for given in names if given in item), None)


def _insert_missing(name: str, missing: list[Row], new: set[str]) -> int:
    """Insert the missing documents; returns how many. Films with `new` ids are certainly missing."""
    if get_model(name) is not Movie:
        return insert_missing(name, missing)
    adopted = [film for film in missing if film["_id"] not in new]
    return insert_missing(name, [film for film in missing if film["_id"] in new]) + sum(map(_adopt, adopted))


def _adopt(film: Row) -> bool:
    """Insert a film whose claim was left by an interrupted import, unless it exists by now."""
    try:
        add("movies", film)
    except Duplicate:
        return False
    return True


def _missing(name: str, documents: list[Row], new: set[str]) -> list[Row]:
    """The documents that don't exist yet. Asking first is much cheaper than a duplicate key error for each."""
    key = identity(name)
    values = list({document[key[0]] for document in documents} - new)
    if not values:
        return documents
    projection = {"_id": 0, **dict.fromkeys(key, 1)}  # covered by the unique index
    found = {tuple(map(row.get, key)) for row in get_collection(name).find({key[0]: {"$in": values}}, projection)}
    return [document for document in documents if tuple(map(document.get, key)) not in found]

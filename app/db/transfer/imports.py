"""Importing files of films, credits and likes; Kaggle's Netflix titles.csv and credits.csv as they are."""

from collections.abc import Callable, Iterable
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from app.db.core import BadQuery, DatabaseUnavailable, JobCancelled, JobStopped, driver_errors, get_collection
from app.db.films import ranking
from app.db.records import START, Batch, Counts, LoadStopped, Malformed, Reject, Settled, bulk
from app.db.search import derived
from app.db.transfer.readers import FileUnreadable, Reader
from app.db.transfer.reject_files import Rejects

IMPORTABLE = ("movies", "credits", "user_interactions")
# The fields that identify a kind of record.
_MARKS = {"credits": {"role", "name"}, "user_interactions": {"user_id"}, "movies": {"title"}}


def import_file(
    path: Path,
    collection: str | None = None,
    *,
    begin: Settled = START,
    strict: bool = False,
    rejects: Rejects | None = None,
    on_progress: Callable[[Settled], None] = lambda settled: None,
    on_reject: Callable[[Reject], None] = lambda reject: None,
) -> tuple[str, Counts]:
    """As `import_stream`, from a file. Raises FileUnreadable also when it doesn't exist."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FileUnreadable(f"{path}: {error.strerror}") from error
    with stream:
        return import_stream(
            stream,
            str(path),
            collection,
            begin=begin,
            strict=strict,
            rejects=rejects,
            on_progress=on_progress,
            on_reject=on_reject,
        )


def import_stream(
    stream: BinaryIO,
    name: str,
    collection: str | None = None,
    *,
    begin: Settled = START,
    strict: bool = False,
    rejects: Rejects | None = None,
    on_progress: Callable[[Settled], None] = lambda settled: None,
    on_reject: Callable[[Reject], None] = lambda reject: None,
) -> tuple[str, Counts]:
    """Load the records of a file into a collection, by default the one that its records' fields suggest.

    `name` is the file's name for messages. Existing records stay as they are; rejected ones go to `rejects`, their
    reasons to `on_reject`. `on_progress` is called with the load's progress, from which another load can `begin`.
    Otherwise as `bulk.load_batches`.

    Returns the collection's name and the counts. Raises FileUnreadable when the file's first record can't be read,
    BadQuery for a collection that is not IMPORTABLE, and LoadStopped.
    """
    reader = Reader(stream, name)
    batches = reader.batches(skip=begin.documents)
    first = list(islice(batches, 1))
    collection = collection or _belongs_to(first)
    if collection not in IMPORTABLE:
        raise BadQuery(f"can't import {collection!r:.80}; only {', '.join(IMPORTABLE)}")

    def refuse(reject: Reject) -> None:
        if rejects is not None:
            rejects.add(reject, reader.heading)
        on_reject(reject)

    load = derived.Load(collection, begun=bool(begin.counts.inserted))
    try:
        counts = bulk.load_batches(
            collection,
            chain(first, batches),
            begin=begin,
            strict=strict,
            on_new=load.add,
            on_progress=on_progress,
            on_reject=refuse,
        )
    except LoadStopped as error:
        # What has been loaded must appear in lists, whether or not the rest follows.
        if collection == "movies" and not isinstance(error.__cause__, DatabaseUnavailable):
            _rank(error.counts)
        if not _goes_on(error.__cause__):
            load.take_in()
        raise
    if collection == "movies":
        _rank(counts)
    load.take_in()
    return collection, counts


def _goes_on(cause: BaseException | None) -> bool:
    """Whether another process will complete the load, or nothing can be written now anyway."""
    return isinstance(cause, DatabaseUnavailable | JobStopped) and not isinstance(cause, JobCancelled)


def collection_of(stream: BinaryIO, name: str) -> str:
    """The collection that a file's first records belong to. Raises FileUnreadable, and BadQuery for none."""
    return _belongs_to(islice(Reader(stream, name).batches(), 1))


def _belongs_to(batches: Iterable[Batch]) -> str:
    records = [numbered for batch in batches for numbered in batch.documents]
    if not records:
        raise BadQuery("there is no record in the file")
    for _, record in records:
        for collection, marks in _MARKS.items():
            if isinstance(record, dict) and marks <= record.keys():
                return collection
    line, first = records[0]
    if isinstance(first, Malformed):
        found = first.reason
    else:
        found = f"has the fields {list(first)!r:.80}; say which collection it belongs to"
    raise BadQuery(f"can't tell from the first records what the file holds: line {line} {found}")


@driver_errors()
def _rank(counts: Counts) -> None:
    """Rank all films when there are new ones, of this load or of an earlier one that was interrupted."""
    if counts.inserted or get_collection("movies").find_one({"ranking_score": None}, {"_id": 1}) is not None:
        ranking.recompute()

"""Paging by key: a page starts where the last one ended, so its cost doesn't grow with its distance from the start."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from bson import ObjectId
from pymongo.errors import PyMongoError

from app.db.core import connection, filters
from app.db.core.connection import Row, driver_errors, get_collection, time_limit
from app.db.core.cursors import Cursor, Order
from app.db.core.errors import BadQuery, DatabaseUnavailable, TooSlow
from app.db.core.filters import Condition
from app.db.core.models import fields_of, get_model, sortable_fields
from app.db.core.validation import converted_id

MAX_LIMIT = 500
EXACT_COUNT_LIMIT = 10_000  # counting that many takes about 3 ms, a million 240 ms
# Time limits for finding rows without an index, and for counting matches: the database reads some 500,000 documents
# a second and keeps a core busy with it.
UNINDEXED_TIMEOUT_S = 2.0
COUNT_TIMEOUT_S = 1.0
AT_ONCE_S = 0.5  # longer than any read of one film, shorter than an election
ITERATE_BATCH = 1_000  # rows
ITERATE_TIMEOUT_S = 120.0  # for one batch: nobody waits for a page

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """Sorted rows, cursors of the neighbouring pages (None where there is none), and the total number of rows.

    With `total_is_estimate`, `total` comes from the collection's metadata, or is the number at which counting stopped;
    it is None when counting took too long or wasn't requested. `unindexed`: no index served the filter.
    """

    rows: list[Row]
    next: str | None
    previous: str | None
    total: int | None
    total_is_estimate: bool
    unindexed: bool = False


def check_limit(limit: int, maximum: int = MAX_LIMIT) -> int:
    """`limit` itself. Raises BadQuery unless it is a whole number in 1 .. maximum."""
    if type(limit) is not int or not 1 <= limit <= maximum:
        raise BadQuery(f"limit must be a whole number from 1 to {maximum}")
    return limit


def public(row: Row) -> Row:
    """A row for callers: its id is a string."""
    if isinstance(row["_id"], ObjectId):
        row["_id"] = str(row["_id"])
    return row


@dataclass(frozen=True)
class _Source:
    """Where rows come from; built from checked names and values only."""

    collection: str
    query: Row
    order: Order
    projection: Mapping[str, int] | None
    hint: str | None = None

    def rows(self, start: Cursor | None, limit: int, *, backwards: bool = False) -> list[Row]:
        """Up to `limit` rows after `start`; with `backwards` those before it (or the last ones), in reverse order."""
        beyond = start and self.order.beyond(start, backwards)
        parts = [part for part in (self.query, beyond) if part]
        query = {"$and": parts} if parts else {}
        found = get_collection(self.collection).find(query, self.projection, hint=self.hint)
        return list(found.sort(self.order.keys(backwards)).limit(limit))


def _source(
    collection: str, conditions: Sequence[Condition], sort: str, descending: bool, fields: Sequence[str] | None
) -> _Source:
    """Raises BadQuery."""
    model = get_model(collection)
    if sort not in sortable_fields(collection):
        raise BadQuery(f"{collection} can't be sorted by {sort!r:.80}")
    projection = dict.fromkeys(model.private, 0) or None
    if fields is not None:
        visible = set(fields_of(model)) - set(model.private)
        if unknown := [name for name in fields if not isinstance(name, str) or name not in visible]:
            raise BadQuery(f"{collection} have no field {unknown[0]!r:.80}")
        projection = dict.fromkeys([*fields, sort], 1)
    return _Source(collection, filters.query(collection, conditions), Order(sort, bool(descending)), projection)


@driver_errors()
def list_page(
    collection: str,
    *,
    conditions: Sequence[Condition] = (),
    sort: str = "_id",
    descending: bool = False,
    after: str | None = None,
    before: str | None = None,
    last: bool = False,
    limit: int = 50,
    fields: Sequence[str] | None = None,
) -> Page:
    """One page of the documents that meet all conditions, without private fields; with `last`, the last one.

    `sort` is one of `sortable_fields(collection)`; `after` and `before` are cursors of an earlier page;
    `fields` are those to return besides `_id` and `sort` (default: all).
    Raises BadQuery for an unknown collection or field, an invalid condition or cursor, more than one
    starting point, or a bad limit. Raises TooSlow when finding a page without an index takes longer than
    UNINDEXED_TIMEOUT_S.
    """
    source = _source(collection, conditions, sort, descending, fields)
    count_timeout_s = COUNT_TIMEOUT_S if conditions else None

    def fetch() -> Page:
        return _page(source, after=after, before=before, last=last, limit=limit, count_timeout_s=count_timeout_s)

    if all(filters.bounded(collection, condition) for condition in conditions):
        return fetch()
    return replace(within_limit(fetch, collection), unindexed=not filters.indexed(collection, conditions))


def iterate(
    collection: str,
    conditions: Sequence[Condition] = (),
    *,
    sort: str = "_id",
    descending: bool = False,
    after_id: Any = None,
    fields: Sequence[str] | None = None,
) -> Iterator[Row]:
    """All documents that meet the conditions, as stored (typed `_id`) but without private fields.

    Read in batches that each start where the last one ended, so neither an election nor a slow reader interrupts it,
    and memory use stays flat. A document written in the meantime is seen at most once if its `sort` value stays.
    `after_id` continues after the document with this `_id`, for `sort="_id"` only.
    Raises BadQuery as `list_page`, at once; the iterator raises DatabaseError.
    """
    source = _source(collection, conditions, sort, descending, fields)
    if after_id is None:
        return _rows(source, None)
    if sort != "_id":
        raise BadQuery("only an iteration by _id can continue after one")
    return _rows(source, Cursor(None, converted_id(collection, after_id)))


def _rows(source: _Source, start: Cursor | None) -> Iterator[Row]:
    while True:
        with driver_errors(), time_limit(ITERATE_TIMEOUT_S):
            rows = source.rows(start, ITERATE_BATCH)
        yield from rows
        if len(rows) < ITERATE_BATCH:
            return
        start = Cursor(rows[-1].get(source.order.field), rows[-1]["_id"])


def fetch_page(
    collection: str,
    query: Row,
    order: Order,
    *,
    after: str | None = None,
    before: str | None = None,
    limit: int,
    projection: Mapping[str, int] | None = None,
    hint: str | None = None,
    counted: bool = True,
) -> Page:
    """One page of the documents that match `query`, which must be built from checked values only.

    `hint` is the name of the index to use. Unless `counted`, `total` is known only when everything fits on this page.
    """
    source = _Source(collection, query, order, projection, hint)
    return _page(source, after=after, before=before, limit=limit, counted=counted)


def _page(
    source: _Source,
    *,
    after: str | None,
    before: str | None,
    last: bool = False,
    limit: int,
    count_timeout_s: float | None = None,
    counted: bool = True,
) -> Page:
    """`total` is None unless `counted`, and when counting takes longer than `count_timeout_s`."""
    check_limit(limit)
    if (after is not None) + (before is not None) + bool(last) > 1:
        raise BadQuery("a page lies after one cursor, before one, or at the end")
    backwards = before is not None or last
    token = before if backwards else after
    start = None if token is None else source.order.decode(token)

    rows = source.rows(start, limit + 1, backwards=backwards)
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()

    at_start, at_end = _ends(source.order, rows, start)
    has_next, has_previous = (start is not None, more) if backwards else (more, start is not None)
    total: int | None = len(rows)
    estimate = False
    if start is not None or more:
        total, estimate = _count(source, count_timeout_s) if counted else (None, True)
    return Page(
        rows=[public(row) for row in rows],
        next=at_end if has_next else None,
        previous=at_start if has_previous else None,
        total=total,
        total_is_estimate=estimate,
    )


def within_limit(read: Callable[[], T], collection: str) -> T:
    """What `read` returns. Raises TooSlow when it takes longer than UNINDEXED_TIMEOUT_S on a healthy database.

    After a host dies, reads are slow for another reason: they wait for a new primary. So a trivial read must succeed at
    once before and after `read`; until it does, this waits as any other operation would and starts `read` over. Raises
    DatabaseUnavailable when that takes longer than any operation may.
    """
    deadline = time.monotonic() + connection.OPERATION_TIMEOUT_MS / 1000
    while time.monotonic() < deadline:
        _read_something(collection)
        try:
            return _limited_read(read)
        except TooSlow:
            if _answers_at_once(collection):
                raise
    raise DatabaseUnavailable("the database has been slow or unavailable for too long")


def _limited_read(read: Callable[[], T]) -> T:
    try:
        with time_limit(UNINDEXED_TIMEOUT_S):
            return read()
    except (PyMongoError, DatabaseUnavailable) as error:
        cause = error if isinstance(error, PyMongoError) else error.__cause__
        if not (isinstance(cause, PyMongoError) and cause.timeout):
            raise
        raise TooSlow(f"not found within {UNINDEXED_TIMEOUT_S:.0f} s") from error


def _read_something(collection: str) -> None:
    """A trivial read that every shard must answer, as any of them may have the first document."""
    with driver_errors():
        get_collection(collection).find_one({}, {"_id": 1}, sort=[("_id", 1)])


def _answers_at_once(collection: str) -> bool:
    """Whether a trivial read succeeds at once; a slow answer comes from a new primary."""
    began = time.monotonic()
    _read_something(collection)
    return time.monotonic() - began < AT_ONCE_S


def _ends(order: Order, rows: list[Row], start: Cursor | None) -> tuple[str | None, str | None]:
    """Cursors at the first and last row. A page that is empty by now leads back to where it was entered."""
    if rows:
        return order.cursor_at(rows[0]), order.cursor_at(rows[-1])
    if start is None:
        return None, None
    back = order.encode(Cursor(start.value, start.identifier, inclusive=True))
    return back, back


def _count(source: _Source, timeout_s: float | None) -> tuple[int | None, bool]:
    """Number of matches (None if counting takes longer than `timeout_s`), and whether it is an estimate."""
    documents = get_collection(source.collection)
    if not source.query:
        estimate = documents.estimated_document_count()
        if estimate > EXACT_COUNT_LIMIT:
            return estimate, True
    try:
        with time_limit(timeout_s) if timeout_s else nullcontext():
            counted = documents.count_documents(source.query, limit=EXACT_COUNT_LIMIT + 1)
    except PyMongoError as error:
        if timeout_s is None or not error.timeout:
            raise
        return None, True
    return min(counted, EXACT_COUNT_LIMIT), counted > EXACT_COUNT_LIMIT

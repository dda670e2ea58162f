"""Paging by key: a page starts where the last one ended, so its cost doesn't grow with its distance from the start."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
from bson import ObjectId
from bson.errors import BSONError

from app.db.connection import Row, driver_errors, get_collection
from app.db.errors import BadQuery
from app.db.models import get_model, sortable_fields

MAX_LIMIT = 500
MAX_CURSOR = 2_000  # characters; the longest title in UTF-8 and base64 fits
EXACT_COUNT_LIMIT = 10_000  # counting that many takes about 3 ms, a million 240 ms


@dataclass(frozen=True)
class Page:
    """Rows in the order asked for; cursors of the neighbouring pages (None where there is none); how many rows in all.

    With `total_is_estimate`, `total` comes from the collection's metadata, or is the number at which counting stopped.
    """

    rows: list[Row]
    next: str | None
    previous: str | None
    total: int
    total_is_estimate: bool


@dataclass(frozen=True)
class _Cursor:
    """A place in an order: just beyond the row with this sort value and _id, or on it when `inclusive`."""

    value: Any
    identifier: Any
    inclusive: bool = False


@dataclass(frozen=True)
class Order:
    """Sorted by a field, ties by `_id` in the same direction."""

    field: str
    descending: bool = False

    def keys(self, backwards: bool) -> list[tuple[str, int]]:
        """The sort that MongoDB is asked for."""
        direction = -1 if self.descending != backwards else 1
        return [(self.field, direction)] + ([("_id", direction)] if self.field != "_id" else [])

    def beyond(self, cursor: _Cursor, backwards: bool) -> Row:
        """The condition that a row comes after `cursor` (before it, when backwards)."""
        ascending = self.descending == backwards
        strictly = "$gt" if ascending else "$lt"
        identifier = {"_id": {f"{strictly}e" if cursor.inclusive else strictly: cursor.identifier}}
        if self.field == "_id":
            return identifier
        same_value = {self.field: cursor.value, **identifier}
        # MongoDB sorts null and missing below everything else, but no $gt or $lt compares across types.
        if cursor.value is None:
            return {"$or": [same_value, {self.field: {"$ne": None}}]} if ascending else same_value
        further = [same_value, {self.field: {strictly: cursor.value}}]
        return {"$or": further if ascending else [*further, {self.field: None}]}

    def encode(self, cursor: _Cursor) -> str:
        """An opaque token. It holds the order too, so that it can't be used with another one."""
        raw = bson.encode(
            {"o": [self.field, self.descending], "v": cursor.value, "i": cursor.identifier, "e": cursor.inclusive}
        )
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def decode(self, token: str) -> _Cursor:
        """Raises BadQuery for anything that `encode` of this order can't have made."""
        if not isinstance(token, str) or len(token) > MAX_CURSOR:
            raise BadQuery("not a page cursor")
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            content: Row = bson.decode(raw, bson.CodecOptions(tz_aware=True))
        except (binascii.Error, BSONError, ValueError, OverflowError) as error:
            raise BadQuery("not a page cursor") from error
        if content.get("o") != [self.field, self.descending]:
            raise BadQuery("this page cursor belongs to another order")
        cursor = _Cursor(content.get("v"), content.get("i"), content.get("e") is True)
        if not (_is_scalar(cursor.value) and _is_scalar(cursor.identifier)) or cursor.identifier is None:
            raise BadQuery("not a page cursor")
        return cursor


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (str, int, bool, datetime, ObjectId)


def check_limit(limit: int, maximum: int = MAX_LIMIT) -> int:
    """`limit` itself. Raises BadQuery unless it is a whole number in 1 .. maximum."""
    if type(limit) is not int or not 1 <= limit <= maximum:
        raise BadQuery(f"limit must be a whole number from 1 to {maximum}")
    return limit


def public(row: Row) -> Row:
    """A row as callers get it: ids are strings, whatever the database keeps."""
    if isinstance(row["_id"], ObjectId):
        row["_id"] = str(row["_id"])
    return row


@driver_errors()
def list_page(
    collection: str,
    *,
    sort: str = "_id",
    descending: bool = False,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> Page:
    """One page of a whole collection, without its private fields.

    `sort` is one of `app.db.models.sortable_fields(collection)`; `after` and `before` are cursors of an earlier page.
    Raises BadQuery for an unknown collection or field, a cursor that isn't one, both cursors, or a bad limit.
    """
    model = get_model(collection)
    if sort not in sortable_fields(collection):
        raise BadQuery(f"{collection} can't be sorted by {sort!r:.80}")
    hidden: Mapping[str, int] | None = dict.fromkeys(model.private, 0) or None
    return fetch_page(
        collection, {}, Order(sort, bool(descending)), after=after, before=before, limit=limit, projection=hidden
    )


def fetch_page(
    collection: str,
    query: Row,
    order: Order,
    *,
    after: str | None = None,
    before: str | None = None,
    limit: int,
    projection: Mapping[str, int] | None = None,
) -> Page:
    """One page of the documents that match `query`, which must be built from checked values only."""
    check_limit(limit)
    if after is not None and before is not None:
        raise BadQuery("a page lies after one cursor or before one, not both")
    backwards = before is not None
    token = before if backwards else after
    start = None if token is None else order.decode(token)

    conditions = [condition for condition in (query, start and order.beyond(start, backwards)) if condition]
    found = get_collection(collection).find({"$and": conditions} if conditions else {}, projection)
    rows = list(found.sort(order.keys(backwards)).limit(limit + 1))
    more, rows = len(rows) > limit, rows[:limit]
    if backwards:
        rows.reverse()

    first, last = _ends(order, rows, start)
    total, estimate = _count(collection, query)
    return Page(
        rows=[public(row) for row in rows],
        next=last if more or backwards else None,
        previous=first if (more if backwards else start is not None) else None,
        total=total,
        total_is_estimate=estimate,
    )


def _ends(order: Order, rows: list[Row], start: _Cursor | None) -> tuple[str | None, str | None]:
    """Cursors at the first and the last row. A page that was emptied meanwhile leads back to where it was entered."""
    if rows:
        first, last = (order.encode(_Cursor(row.get(order.field), row["_id"])) for row in (rows[0], rows[-1]))
        return first, last
    if start is None:
        return None, None
    back = order.encode(_Cursor(start.value, start.identifier, inclusive=True))
    return back, back


def _count(collection: str, query: Row) -> tuple[int, bool]:
    """Number of matches, and whether it is an estimate because counting would be slow."""
    documents = get_collection(collection)
    if not query:
        estimate = documents.estimated_document_count()
        if estimate > EXACT_COUNT_LIMIT:
            return estimate, True
    counted = documents.count_documents(query, limit=EXACT_COUNT_LIMIT + 1)
    return min(counted, EXACT_COUNT_LIMIT), counted > EXACT_COUNT_LIMIT

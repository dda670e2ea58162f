"""Positions in a sorted list, and the tokens that stand for them in links."""

import base64
import binascii
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import bson
from bson import ObjectId
from bson.errors import BSONError

from app.db.core.connection import Row
from app.db.core.errors import BadQuery

MAX_CURSOR = 2_000  # characters; the longest title in UTF-8 and base64 fits


@dataclass(frozen=True)
class Cursor:
    """A position: just beyond the row with this sort value and _id, or on it when `inclusive`."""

    value: Any
    identifier: Any
    inclusive: bool = False


@dataclass(frozen=True)
class Order:
    """Sorted by a field, ties by `_id` in the same direction."""

    field: str
    descending: bool = False

    def keys(self, backwards: bool) -> list[tuple[str, int]]:
        """The sort for MongoDB."""
        direction = -1 if self.descending != backwards else 1
        return [(self.field, direction)] + ([("_id", direction)] if self.field != "_id" else [])

    def beyond(self, cursor: Cursor, backwards: bool) -> Row:
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

    def encode(self, cursor: Cursor) -> str:
        """An opaque token. It includes the order, so it can't be used with another one."""
        raw = bson.encode(
            {"o": [self.field, self.descending], "v": cursor.value, "i": cursor.identifier, "e": cursor.inclusive}
        )
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def cursor_at(self, row: Row) -> str:
        """The cursor for `after` or `before` at a row as stored."""
        return self.encode(Cursor(row.get(self.field), row["_id"]))

    def decode(self, token: str) -> Cursor:
        """The position that a token stands for. Raises BadQuery for a token that `encode` of this order didn't make."""
        if not isinstance(token, str) or len(token) > MAX_CURSOR:
            raise BadQuery("this link is no longer valid; start over")
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            content: Row = bson.decode(raw, bson.CodecOptions(tz_aware=True))
        except (binascii.Error, BSONError, ValueError, OverflowError) as error:
            raise BadQuery("this link is no longer valid; start over") from error
        if content.get("o") != [self.field, self.descending]:
            raise BadQuery("this link belongs to another sort order; start over")
        cursor = Cursor(content.get("v"), content.get("i"), content.get("e") is True)
        if not (_is_scalar(cursor.value) and _is_scalar(cursor.identifier)) or cursor.identifier is None:
            raise BadQuery("this link is no longer valid; start over")
        return cursor


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or type(value) in (str, int, bool, datetime, ObjectId)

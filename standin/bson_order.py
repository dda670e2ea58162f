"""MongoDB's ordering of BSON values, and the shards' `$sortKey`.

The order of types is the server's `canonicalizeBSONType` (src/mongo/bson/bsontypes.h).
"""

import struct
from collections.abc import Mapping
from typing import Any

import bson
from bson import Binary, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument

from standin.wire import PLAIN

SortKey = tuple[Any, ...]

# BSON type byte -> rank of its type in comparisons.
CANONICAL_TYPE = {
    0xFF: -1,  # MinKey
    0x06: 0,  # undefined
    0x0A: 5,  # null
    0x01: 10,  # double
    0x10: 10,  # int32
    0x12: 10,  # int64
    0x13: 10,  # decimal128
    0x02: 15,  # string
    0x0E: 15,  # symbol
    0x03: 20,  # document
    0x04: 25,  # array
    0x05: 30,  # binary
    0x07: 35,  # ObjectId
    0x08: 40,  # boolean
    0x09: 45,  # date
    0x11: 47,  # timestamp
    0x0B: 50,  # regular expression
    0x0C: 55,  # DBPointer
    0x0D: 60,  # JavaScript
    0x0F: 65,  # JavaScript with scope
    0x7F: 127,  # MaxKey
}
UNDEFINED = 0x06
_FIXED_SIZE = {
    0x01: 8,
    0x06: 0,
    0x07: 12,
    0x08: 1,
    0x09: 8,
    0x0A: 0,
    0x10: 4,
    0x11: 8,
    0x12: 8,
    0x13: 16,
    0x7F: 0,
    0xFF: 0,
}
_SORT_KEY_MARK = b"\x04$sortKey\x00"


def raw_element(value: Any) -> tuple[int, bytes]:
    """The BSON type byte of a value, and its bytes."""
    encoded = bson.encode({"": value}, codec_options=PLAIN)
    return encoded[4], encoded[6:-1]


def order_key(value: Any) -> SortKey:  # noqa: PLR0911, PLR0912 - one line for each BSON type
    """A Python sort key that orders values as MongoDB does (simple collation)."""
    if isinstance(value, bool):
        return (40, value)
    if isinstance(value, (int, float)):
        return _number_key(value, is_nan=value != value)  # noqa: PLR0124 - what NaN is
    if isinstance(value, str):
        return (15, value.encode())
    if value is None:
        return (5,)
    if isinstance(value, ObjectId):
        return (35, value.binary)
    if isinstance(value, MinKey):
        return (-1,)
    if isinstance(value, MaxKey):
        return (127,)
    if isinstance(value, DatetimeMS):
        return (45, int(value))
    if isinstance(value, Decimal128):
        number = value.to_decimal()
        return _number_key(number, is_nan=number.is_nan())
    if isinstance(value, Timestamp):
        return (47, value.time, value.inc)
    if isinstance(value, Binary):
        return (30, len(value), value.subtype, bytes(value))
    if isinstance(value, bytes):
        return (30, len(value), 0, value)
    if isinstance(value, (list, tuple)):
        return (25, tuple(order_key(item) for item in value))
    if isinstance(value, Regex):
        return (50, value.pattern, value.flags)
    if isinstance(value, Mapping):
        keys = ((name, order_key(item)) for name, item in value.items())
        return (20, tuple((key[0], name, key) for name, key in keys))
    kind, data = raw_element(value)
    return (CANONICAL_TYPE[kind], data)


def _number_key(value: Any, *, is_nan: bool) -> SortKey:
    # NaN is smaller than every other number.
    return (10, float("-inf"), 0) if is_nan else (10, value, 1)


class Descending:
    """Reverses an order key."""

    __slots__ = ("key",)

    def __init__(self, key: SortKey) -> None:
        self.key = key

    def __lt__(self, other: "Descending") -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Descending) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


def split_sort_key(document: RawBSONDocument) -> tuple[bytes, list[SortKey]]:
    """Remove the trailing `$sortKey` array from a document. Returns the rest, and the array's order keys.

    It works on bytes because an empty array's sort key is 'undefined', which PyMongo decodes to None.
    """
    raw = bytes(document.raw)
    start = _find_sort_key(raw)
    array = start + len(_SORT_KEY_MARK)
    values = bson.decode(raw[array:-1], codec_options=PLAIN)
    keys: list[SortKey] = []
    position = array + 4
    for value in values.values():
        kind = raw[position]
        position = raw.index(b"\0", position + 1) + 1
        position += _element_size(raw, kind, position)
        keys.append((CANONICAL_TYPE[UNDEFINED],) if kind == UNDEFINED else order_key(value))
    stripped = struct.pack("<i", start + 1) + raw[4:start] + b"\0"
    return stripped, keys


def _find_sort_key(raw: bytes) -> int:
    """Where the last element, `$sortKey`, starts. The length excludes lookalikes inside other values."""
    end = len(raw)
    while True:
        start = raw.rindex(_SORT_KEY_MARK, 0, end)
        array = start + len(_SORT_KEY_MARK)
        if array + struct.unpack_from("<i", raw, array)[0] == len(raw) - 1:
            return start
        end = start + len(_SORT_KEY_MARK) - 1


def _element_size(raw: bytes, kind: int, position: int) -> int:
    if kind in _FIXED_SIZE:
        return _FIXED_SIZE[kind]
    if kind == 0x0B:  # regular expression: two zero-terminated strings
        return raw.index(b"\0", raw.index(b"\0", position) + 1) + 1 - position
    (length,) = struct.unpack_from("<i", raw, position)
    if kind in (0x02, 0x0D, 0x0E):
        return 4 + int(length)
    if kind == 0x05:
        return 5 + int(length)
    if kind == 0x0C:
        return 16 + int(length)
    return int(length)


INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def clamp_int64(value: int) -> Int64:
    return Int64(max(INT64_MIN, min(INT64_MAX, value)))

"""The hash behind hashed shard keys (`BSONElementHasher`, src/mongo/db/hasher.cpp).

md5 over a seed (int32 0), the value's canonical type (int32) and its bytes; the first eight bytes of the
digest, little-endian, are the key. Numbers are truncated to 64-bit integers first, so 1, 1.0 and Int64(1) share a
shard. tests/standin compares the result with a real hashed index.
"""

import hashlib
import math
import struct
from collections.abc import Callable
from typing import Any

import bson
from bson import Int64
from bson.decimal128 import Decimal128

from standin.bson_order import CANONICAL_TYPE, INT64_MAX, INT64_MIN, clamp_int64, raw_element
from standin.wire import PLAIN

_TWO_TO_63 = float(2**63)

Feed = Callable[[bytes], None]


def hashed(value: Any) -> Int64:
    """The hashed index key of a value."""
    digest = hashlib.md5(struct.pack("<i", 0), usedforsecurity=False)
    kind, data = raw_element(value)
    _feed(digest.update, kind, data)
    return Int64(struct.unpack("<q", digest.digest()[:8])[0])


def _feed(feed: Feed, kind: int, data: bytes, name: bytes | None = None) -> None:
    feed(struct.pack("<i", CANONICAL_TYPE[kind]))
    if name is not None:
        feed(name + b"\0")
    if CANONICAL_TYPE[kind] == CANONICAL_TYPE[0x01]:
        feed(struct.pack("<q", _as_int64(kind, data)))
    elif kind in (0x03, 0x04):
        for inner_name, inner in bson.decode(data, codec_options=PLAIN).items():
            inner_kind, inner_data = raw_element(inner)
            _feed(feed, inner_kind, inner_data, inner_name.encode())
        feed(b"\0" * 4)  # the end-of-object element counts as canonical type 0
    else:
        feed(data)


def _as_int64(kind: int, data: bytes) -> Int64:
    if kind == 0x01:
        return _truncate(*struct.unpack("<d", data))
    if kind == 0x13:
        number = Decimal128.from_bid(data).to_decimal()
        if number.is_nan():
            return Int64(0)
        if number.is_infinite():
            return Int64(INT64_MAX if number > 0 else INT64_MIN)
        return clamp_int64(round(number))
    return Int64(int.from_bytes(data, "little", signed=True))


def _truncate(number: float) -> Int64:
    if math.isnan(number):
        return Int64(0)
    if math.isinf(number):
        return Int64(INT64_MAX if number > 0 else INT64_MIN)
    if number == _TWO_TO_63:
        # As x86-64 converts it; the server keeps it that way (`safeNumberLongForHash`).
        return Int64(INT64_MIN)
    return clamp_int64(int(number))

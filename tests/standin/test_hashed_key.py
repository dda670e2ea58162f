"""The router hashes and orders values as the servers do."""

from __future__ import annotations

import datetime
import random
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from pymongo import MongoClient
from pymongo.collection import Collection

from ops.local_cluster import LocalCluster
from standin.bson_order import order_key
from standin.hashed_key import hashed
from standin.wire import PLAIN

VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    Int64(5),
    1.0,
    1.9,
    -1.9,
    0.5,
    -0.5,
    1e300,
    -1e300,
    float(2**63),
    float("nan"),
    float("inf"),
    float("-inf"),
    Decimal128("7"),
    Decimal128("7.5"),
    Decimal128("-7.9"),
    Decimal128("1E+400"),
    Decimal128("NaN"),
    Decimal128("-Infinity"),
    "",
    "film",
    "Amélie",
    ObjectId("0123456789abcdef01234567"),
    datetime.datetime(1999, 3, 31, tzinfo=datetime.UTC),
    Timestamp(5, 6),
    Binary(b"bytes", 0),
    Binary(b"0123456789abcdef", 4),
    {},
    {"a": 1, "b": "x"},
    {"a": {"b": [1, 2, {"c": None}]}},
    MinKey(),
    MaxKey(),
]


@pytest.fixture(scope="module")
def plain(mongodb: LocalCluster) -> Iterator[Collection[dict[str, Any]]]:
    client: MongoClient[dict[str, Any]]
    with mongodb.client() as client:
        collection = client["standin_tests"]["values"]
        collection.drop()
        yield collection
        collection.drop()


def test_hashes_equal_those_of_a_hashed_index(plain: Collection[dict[str, Any]]) -> None:
    plain.create_index([("key", "hashed")])
    randoms = random.Random(5)
    numbers = [randoms.uniform(-1e19, 1e19) for _ in range(100)] + [randoms.getrandbits(63) for _ in range(100)]
    values = [*VALUES, *numbers, *(str(number) for number in numbers)]
    plain.insert_many({"_id": index, "key": value} for index, value in enumerate(values))
    entries = plain.find({}, {"entry": {"$meta": "indexKey"}}, hint=[("key", "hashed")])
    by_server = {entry["_id"]: entry["entry"]["key"] for entry in entries}
    for index, value in enumerate(values):
        # Through BSON and back, as the router reads it: some dates are out of Python's range.
        seen = bson.decode(bson.encode({"v": value}), codec_options=PLAIN)["v"]
        assert hashed(seen) == by_server[index], f"{value!r}"


def test_order_equals_the_servers(plain: Collection[dict[str, Any]]) -> None:
    values = [*VALUES, [], [1, 2], ["a"], bson.Regex("a", "i"), {"a": 2}, {"b": 0}, "film2", Binary(b"z", 0)]
    plain.drop()
    plain.insert_many({"_id": index, "key": {"v": value}} for index, value in enumerate(values))
    by_server = [entry["_id"] for entry in plain.find().sort([("key", 1), ("_id", 1)])]
    documents = plain.with_options(codec_options=PLAIN).find()
    by_router = [entry["_id"] for entry in sorted(documents, key=lambda d: (order_key(d["key"]), d["_id"]))]
    assert by_router == by_server

"""A sharded collection behind the stand-in answers like a collection on a plain replica set.

Both get the same random reads, writes and invalid commands; answers, errors and the final documents must be equal.
The seed is fixed, so that failures repeat; FILM_LIBRARY_SEED sets another.
"""

from __future__ import annotations

import datetime
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo import DeleteOne, InsertOne, MongoClient, ReplaceOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, PyMongoError

from ops.local_cluster import LocalCluster

SEED = int(os.environ.get("FILM_LIBRARY_SEED", "1"))
DOCUMENTS = 500  # some 250 on each shard: more than a cursor's first batch (101)
READS = 250
WRITES = 250

Document = dict[str, Any]
Films = Collection[Document]
Pair = tuple[Films, Films]


class Generator:
    """Random documents, queries and updates over one set of films."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.films = [self._film(number) for number in range(DOCUMENTS)]

    def value(self) -> Any:
        """A value of any type that documents may have."""
        number = self.random.randint(-50, 50)
        return self.random.choice(
            [
                None,
                number,
                number + 0.5,
                Int64(number),
                Decimal128(str(number)),
                self.random.choice("abcdéZ") * self.random.randint(0, 3),
                True,
                False,
                datetime.datetime(2000 + abs(number), 1, 1, tzinfo=datetime.UTC),
                [self.random.randint(0, 9) for _ in range(self.random.randint(0, 4))],
                {"p": self.random.randint(0, 5), "q": self.random.choice("xyz")},
                ObjectId(bytes([self.random.randint(0, 3)] * 12)),
            ]
        )

    def _film(self, number: int) -> Document:
        film: Document = {
            "_id": number,
            "title_hash": self.random.randrange(10**9),
            "title": "".join(self.random.choices("abcdefgh", k=8)),
            "year": self.random.randint(1950, 2024),
            "score": round(self.random.uniform(0, 10), 1),
            "tags": self.random.sample("abcde", self.random.randint(0, 4)),
            "sub": {"x": self.random.randint(0, 9), "y": self.random.choice("klm")},
        }
        if self.random.random() < 0.7:
            film["any"] = self.value()
        return film

    def key(self) -> int:
        key: int = self.random.choice(self.films)["title_hash"]
        return key

    def query(self) -> Document:
        return self.random.choice(
            [
                {},
                {"year": {"$gte": self.random.randint(1950, 2024)}},
                {"score": {"$lt": self.random.uniform(0, 10)}, "year": self.random.randint(1950, 2024)},
                {"tags": self.random.choice("abcde")},
                {"title_hash": self.key()},
                {"title_hash": float(self.key())},
                {"title_hash": {"$in": [self.key() for _ in range(self.random.randint(0, 5))]}},
                {"title_hash": {"$gt": self.key()}},
                {"title_hash": None},
                {"_id": self.random.randint(0, DOCUMENTS)},
                {"any": self.value()},
                {"any": {"$type": self.random.choice(["string", "int", "array", "object", "null", "decimal"])}},
                {"$or": [{"sub.x": self.random.randint(0, 9)}, {"sub.y": "k", "year": {"$lt": 1960}}]},
                {"title": {"$regex": "^" + self.random.choice("abcd")}},
                {"$and": [{"title_hash": self.key()}, {"year": {"$gt": 1900}}]},
            ]
        )

    def sort(self) -> list[tuple[str, int]]:
        fields = self.random.sample(
            ["year", "score", "title", "any", "sub.x", "tags", "sub"], self.random.randint(0, 2)
        )
        return [(field, self.random.choice([1, -1])) for field in [*fields, "_id"]]

    def projection(self) -> Document | None:
        return self.random.choice(
            [
                None,
                {"title": 1},
                {"title": 1, "_id": 0},
                {"tags": {"$slice": 2}},
                {"any": 0},
                {"sub.x": 1},
                {"tags": {"$elemMatch": {"$eq": "b"}}},
                {"up": {"$toUpper": "$title"}},
            ]
        )

    def pipeline(self) -> list[Document]:
        match, skip = {"$match": self.query()}, self.random.choice([0, 3, 50])
        return self.random.choice(
            [
                [
                    match,
                    {"$group": {"_id": "$year", "n": {"$sum": 1}, "best": {"$max": "$score"}}},
                    {"$sort": {"_id": 1}},
                ],
                [match, {"$unwind": "$tags"}, {"$sortByCount": "$tags"}, {"$sort": {"count": -1, "_id": 1}}],
                [match, {"$sort": dict(self.sort())}, {"$skip": skip}, {"$limit": 10}, {"$project": {"title": 1}}],
                [match, {"$limit": 200}, {"$count": "n"}],
                [match, {"$addFields": {"n": {"$size": "$tags"}}}, {"$unset": "any"}, {"$sort": {"n": 1, "_id": 1}}],
            ]
        )

    def update(self) -> Any:
        return self.random.choice(
            [
                {"$inc": {"n": 1}},
                {"$set": {"any": self.value()}},
                {"$push": {"tags": "z"}},
                {"$unset": {"sub": ""}},
                {"$bogus": {"n": 1}},
                {"$inc": {"title": 1}},
                [{"$set": {"w": {"$add": ["$year", 1]}}}],
            ]
        )


@pytest.fixture(scope="module")
def pair(small_cluster: LocalCluster, mongodb: LocalCluster) -> Iterator[Pair]:
    """The same films, sharded behind the stand-in and on a plain replica set."""
    through: MongoClient[Document]
    plain: MongoClient[Document]
    with small_cluster.client() as through, mongodb.client() as plain:
        through.admin.command("shardCollection", "same_answers.films", key={"title_hash": "hashed"})
        films = through["same_answers"]["films"], plain["same_answers"]["films"]
        documents = Generator(SEED).films
        for collection in films:
            collection.insert_many(documents, ordered=False)
            collection.create_index("year")
        yield films
        through.drop_database("same_answers")
        plain.drop_database("same_answers")


def same(pair: Pair, what: Any, action: Callable[[Films], Any]) -> None:
    answers = []
    for films in pair:
        try:
            answers.append(action(films))
        except BulkWriteError as error:
            failures = [(entry["index"], entry["code"]) for entry in error.details["writeErrors"]]
            answers.append(("BulkWriteError", error.details["nInserted"], failures))
        except PyMongoError as error:
            answers.append((type(error).__name__, getattr(error, "code", None)))
    assert answers[0] == answers[1], what


def test_reads(pair: Pair) -> None:
    make = Generator(SEED)
    for _ in range(READS):
        query, sort, projection = make.query(), make.sort(), make.projection()
        skip, limit = make.random.choice([0, 0, 3, 50]), make.random.choice([0, 1, 7, 120, 500])
        batch = make.random.choice([0, 2, 33, 1000]) if limit not in (0, 500) else 100
        pipeline = make.pipeline()

        def find(films: Films) -> list[Document]:
            cursor = films.find(query, projection, sort=sort, skip=skip, limit=limit, batch_size=batch)  # noqa: B023
            return list(cursor)

        same(pair, (query, sort, projection, skip, limit, batch), find)
        same(pair, query, lambda films: sorted(film["_id"] for film in films.find(query)))  # noqa: B023
        same(pair, (query, skip), lambda films: films.count_documents(query, skip=skip))  # noqa: B023
        same(pair, pipeline, lambda films: list(films.aggregate(pipeline)))  # noqa: B023


def test_wrong_queries(pair: Pair) -> None:
    same(pair, "operator", lambda films: films.find_one({"$bogus": 1}))
    same(pair, "operator in a field", lambda films: films.find_one({"year": {"$bogus": 1}}))
    same(pair, "stage option", lambda films: list(films.aggregate([{"$limit": -1}])))
    same(pair, "sort", lambda films: list(films.find(sort=[("$bogus", 1)])))
    same(pair, "hint", lambda films: list(films.find(hint="no_such_index")))


def outcome(result: Any) -> Document:
    names = ("matched_count", "modified_count", "deleted_count", "upserted_id", "inserted_count")
    return {name: getattr(result, name) for name in names if hasattr(result, name)}


def test_writes(pair: Pair) -> None:
    make = Generator(SEED)
    make.random.seed(SEED + 1)
    for number in range(WRITES):
        query, change, key, new = make.query(), make.update(), make.key(), 10**6 + number
        identity = make.random.randrange(DOCUMENTS)
        one_key = {"title_hash": key}
        bulk = [
            InsertOne({"_id": new, "title_hash": new}),
            UpdateOne({"title_hash": new}, {"$set": {"z": 1}}),
            InsertOne({"_id": new, "title_hash": new}),
            DeleteOne({"_id": identity}),
            ReplaceOne({"title_hash": -new}, {"title_hash": -new, "_id": -new}, upsert=True),
        ]
        ordered = bool(number % 2)
        # With the same shard key: a sharded collection can't detect an _id that is on another shard.
        twins = [{"_id": identity, "title_hash": make.films[identity]["title_hash"]}, {"_id": new + 0.5}]
        actions: list[Callable[[Films], Any]] = [
            lambda films: outcome(films.update_many({**query, "score": {"$lt": 3}}, change)),  # noqa: B023
            lambda films: outcome(films.update_one(one_key, change)),  # noqa: B023
            lambda films: outcome(films.update_one({"_id": identity}, change)),  # noqa: B023
            lambda films: outcome(films.delete_many({**query, "_id": {"$mod": [97, number % 97]}})),  # noqa: B023
            lambda films: outcome(films.delete_one(one_key)),  # noqa: B023
            lambda films: films.find_one_and_update(one_key, change, return_document=True),  # noqa: B023
            lambda films: films.find_one_and_delete(one_key),  # noqa: B023
            lambda films: outcome(films.update_one({"title_hash": -key}, {"$setOnInsert": {"_id": new}}, upsert=True)),  # noqa: B023
            lambda films: outcome(films.replace_one(one_key, {**one_key, "year": 7})),  # noqa: B023
            lambda films: outcome(films.bulk_write(bulk, ordered=ordered)),  # noqa: B023
            lambda films: films.insert_many(twins, ordered=ordered).acknowledged,  # noqa: B023
        ]
        same(pair, (number, query, change), make.random.choice(actions))
    same(pair, "the final documents", lambda films: list(films.find(sort=[("_id", 1), ("title_hash", 1)])))

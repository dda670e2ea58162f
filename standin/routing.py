"""One collection's chunk table: the shards of a document or a query."""

import bisect
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Any

from bson import ObjectId, Regex, Timestamp

from standin.bson_order import SortKey, order_key
from standin.errors import CommandError
from standin.hashed_key import hashed

# A query for more shard key values than this is sent to every shard.
MAX_POINTS = 1000

# Sent by mongos with a write to several shards (ChunkVersion::IGNORED): if some shards refused it as stale, it
# couldn't be repeated on the others.
IGNORED_VERSION = {
    "e": ObjectId("f" * 24),
    "t": Timestamp(2**32 - 1, 2**32 - 1),
    "v": Timestamp(0, 0),
}
# Sent with a command for a collection that isn't sharded (ChunkVersion::UNSHARDED).
UNSHARDED_VERSION = {"e": ObjectId("0" * 24), "t": Timestamp(0, 0), "v": Timestamp(0, 0)}

_NO_CHUNKS = Timestamp(0, 0)


class ChunkTable:
    """Built from a collection's document in config.collections and its chunks, ordered by `min`."""

    def __init__(self, collection: Mapping[str, Any], chunks: Sequence[Mapping[str, Any]]) -> None:
        self.key: dict[str, Any] = dict(collection["key"])
        self.chunks = chunks
        self.epoch = collection["lastmodEpoch"]
        self.timestamp = collection["timestamp"]
        self._minima = [self._order(chunk["min"]) for chunk in chunks]
        self._versions: dict[str, Timestamp] = {}
        for chunk in chunks:
            newest = max(self._versions.get(chunk["shard"], _NO_CHUNKS), chunk["lastmod"])
            self._versions[chunk["shard"]] = newest
        self.shards: tuple[str, ...] = tuple(sorted(self._versions))

    def version(self, shard_id: str) -> dict[str, Any]:
        """A shard's `shardVersion`: the collection's epoch and the shard's newest chunk."""
        return {"e": self.epoch, "t": self.timestamp, "v": self._versions.get(shard_id, _NO_CHUNKS)}

    def chunk_of_key(self, key: Mapping[str, Any]) -> Mapping[str, Any]:
        """The chunk of a key, whose hashed fields have hashes, as in config.chunks."""
        return self.chunks[bisect.bisect_right(self._minima, self._order(key)) - 1]

    def chunk_of_values(self, values: Iterable[Any]) -> Mapping[str, Any]:
        """The chunk of a document's shard key values, in the key's order."""
        return self.chunk_of_key(
            {
                field: hashed(value) if kind == "hashed" else value
                for (field, kind), value in zip(self.key.items(), values, strict=True)
            }
        )

    def shard_of_document(self, document: Mapping[str, Any]) -> str:
        """A new document's shard; a missing field counts as null. Raises ShardKeyNotFound for an array."""
        shard: str = self.chunk_of_values(self.values_of_document(document).values())["shard"]
        return shard

    def values_of_document(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the shard key's fields. Raises ShardKeyNotFound for an array."""
        return {name: _field(document, name) for name in self.key}

    def shards_of_query(self, query: Mapping[str, Any], at: Timestamp | None = None) -> tuple[tuple[str, ...], bool]:
        """The shards that may have matches, and whether the query has one value for the whole shard key.

        With `at`, those that owned the chunks then. Raises CommandError 228 if that isn't known any more.
        """
        points = self.points(query)
        if points is not None:
            chunks = [self.chunk_of_values(point) for point in points]
        elif at is None:
            return self.shards, False
        else:
            chunks = list(self.chunks)
        return tuple(sorted({_owner(chunk, at) for chunk in chunks})), points is not None and len(points) == 1

    def points(self, query: Mapping[str, Any]) -> list[tuple[Any, ...]] | None:
        """The shard key values that a query selects by equality or $in; None if it leaves any field open."""
        wanted: dict[str, list[Any]] = {}
        self._collect_equalities(query, wanted)
        if set(wanted) != set(self.key):
            return None
        if not all(_is_point(value) for values in wanted.values() for value in values):
            return None
        points = list(product(*(wanted[field] for field in self.key)))
        return points if len(points) <= MAX_POINTS else None

    def _collect_equalities(self, query: Mapping[str, Any], wanted: dict[str, list[Any]]) -> None:
        for field, condition in query.items():
            if field == "$and":
                for part in condition:
                    self._collect_equalities(part, wanted)
            elif field in self.key:
                if not _is_operator(condition):
                    wanted[field] = [condition]
                elif "$eq" in condition:
                    wanted[field] = [condition["$eq"]]
                elif "$in" in condition:
                    wanted.setdefault(field, list(condition["$in"]))

    def _order(self, key: Mapping[str, Any]) -> SortKey:
        return tuple(order_key(key[field]) for field in self.key)


def _owner(chunk: Mapping[str, Any], at: Timestamp | None) -> str:
    """The shard that has a chunk, or had it at a time."""
    if at is None:
        return str(chunk["shard"])
    for entry in chunk["history"]:  # newest first
        if entry["validAfter"] <= at:
            return str(entry["shard"])
    raise CommandError(228, "StaleChunkHistory", f"no shard is known that had the chunk from {chunk['min']} at {at}")


def _is_operator(condition: Any) -> bool:
    return isinstance(condition, Mapping) and next(iter(condition), "").startswith("$")


def _is_point(value: Any) -> bool:
    """Null also matches missing fields and 'undefined'; an array or a pattern matches several values."""
    return value is not None and not isinstance(value, (list, Regex))


def _field(document: Mapping[str, Any], path: str) -> Any:
    value: Any = document
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else value if isinstance(value, list) else None
    if isinstance(value, list):
        raise CommandError(
            61, "ShardKeyNotFound", f"Shard key cannot contain array values or array descendants: {path}"
        )
    return value

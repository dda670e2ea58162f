"""The shards that an insert, update or delete goes to. Errors are worded like mongos' own."""

from collections.abc import Mapping
from typing import Any

from bson import Regex

from standin.catalog import Routing
from standin.errors import CommandError, not_supported

_UPSERT_WITHOUT_KEY = "Failed to target upsert by query :: could not extract exact shard key"
_UPDATE_WITHOUT_KEY = (
    "A {{multi:false}} update on a sharded collection must contain an exact match on _id (and have the collection "
    "default collation) or target a single shard (and have the simple collation), but this update targeted {} shards"
)
_DELETE_WITHOUT_KEY = (
    "A single delete on a sharded collection must contain an exact match on _id (and have the collection default "
    "collation) or contain the shard key (and have the simple collation)."
)


def is_multi(kind: str, item: Mapping[str, Any]) -> bool:
    """Whether an update or delete may touch more than one document."""
    return bool(item.get("multi", False)) if kind == "update" else item["limit"] == 0


def target_write(kind: str, item: Mapping[str, Any], routing: Routing) -> tuple[str, ...]:
    """Raises CommandError when the operation must go to one shard but doesn't determine which."""
    chunks = routing.chunks
    if chunks is None:
        return (routing.primary,)
    if kind == "insert":
        return (chunks.shard_of_document(item),)
    if "collation" in item:
        raise not_supported("a collation")  # strings that compare equal have different hashes
    query = item["q"]
    shards, exact = chunks.shards_of_query(query)
    if is_multi(kind, item):
        return shards
    if kind == "update" and not exact:
        if item.get("upsert"):
            raise CommandError(61, "ShardKeyNotFound", _UPSERT_WITHOUT_KEY)
        if _is_replacement(item["u"]):
            return (chunks.shard_of_document(item["u"]),)
    if len(shards) == 1 or _is_exact_id(query):
        return shards
    if kind == "update":
        raise CommandError(72, "InvalidOptions", _UPDATE_WITHOUT_KEY.format(len(shards)))
    raise CommandError(61, "ShardKeyNotFound", _DELETE_WITHOUT_KEY)


def _is_replacement(update: Any) -> bool:
    return isinstance(update, Mapping) and not next(iter(update), "").startswith("$")


def _is_exact_id(query: Mapping[str, Any]) -> bool:
    value = query.get("_id")
    if value is None or isinstance(value, Regex):
        return False
    operator = isinstance(value, Mapping) and next(iter(value), "").startswith("$")
    return not operator or list(value) == ["$eq"]

"""The shape of the database's collections: read for a backup, made and compared for a restore."""

from collections.abc import Mapping
from typing import Any

from pymongo import IndexModel

from app.db.backups.manifest import Shape
from app.db.core import Row, get_database, run_command

# Before the names of collections that were restored beside the live ones, and of those that a restore has replaced.
RESTORED, REPLACED = "restored.", "replaced."


def is_aside(name: str) -> bool:
    """Whether a collection is one that a restore has put beside the live ones: not part of the library."""
    return name.startswith((RESTORED, REPLACED))


def read(prefix: str = "") -> dict[str, tuple[Any, Shape]]:
    """All collections of the library by name, each with the UUID that MongoDB gave it.

    With a prefix, those beside the live ones whose names have it, by name without it.
    """
    database = get_database()
    keys = shard_keys()
    shapes = {}
    for info in database.list_collections():
        name = info["name"]
        if info["type"] != "collection" or name.startswith("system."):
            continue
        if not name.startswith(prefix) or (not prefix and is_aside(name)):
            continue
        indexes = [dict(index) for index in database[name].list_indexes() if index["name"] != "_id_"]
        shape = Shape(info.get("options", {}), indexes, keys.get(name))
        shapes[name.removeprefix(prefix)] = info["info"]["uuid"], shape
    return shapes


def shard_keys() -> dict[str, Mapping[str, Any]]:
    """The shard keys of the database's sharded collections; empty where there are no shards."""
    database = get_database()
    prefix = f"{database.name}."
    found = database.client["config"]["collections"].find({"_id": {"$gte": prefix, "$lt": f"{database.name}/"}})
    # MongoDB 8.0 also lists unsharded collections that have been moved.
    return {row["_id"].removeprefix(prefix): row["key"] for row in found if not row.get("unsplittable")}


def on_shards() -> bool:
    """Whether the database is behind a router."""
    return bool(run_command("hello").get("msg") == "isdbgrid")


def create(shapes: Mapping[str, Shape], prefix: str = "") -> None:
    """Make collections ready for loading: with shard keys where there are shards, and without what hinders loading.

    That is a validator, which old documents may break, and indexes that let MongoDB delete documents. May be repeated.
    """
    database = get_database()
    there = {prefix + name: shape for name, (_, shape) in read(prefix).items()}
    sharded = on_shards()
    if sharded:
        database.client.admin.command("enableSharding", database.name)
    for name, shape in ((prefix + name, shape) for name, shape in shapes.items()):
        is_now = there.get(name)
        if sharded and shape.shard_key is not None:
            if is_now is None or is_now.shard_key is None:
                database.client.admin.command("shardCollection", f"{database.name}.{name}", key=dict(shape.shard_key))
        elif is_now is None:
            others = {key: value for key, value in shape.options.items() if key not in _RULES}
            database.create_collection(name, check_exists=False, **others)
        if is_now is not None:
            _open_for_loading(name, is_now)


def _open_for_loading(name: str, is_now: Shape) -> None:
    if "validator" in is_now.options:
        run_command("collMod", name, validationLevel="off")
    for index in is_now.indexes:
        if _expires(index):
            get_database()[name].drop_index(index["name"])


def complete(name: str, shape: Shape) -> None:
    """Make the indexes and the validator of a loaded collection. May be repeated.

    Those indexes last that let MongoDB delete documents at once.
    """
    collection = get_database()[name]
    there = {index["name"] for index in collection.list_indexes()}
    missing = [index for index in shape.indexes if index["name"] not in there]
    for some in ([index for index in missing if not _expires(index)], [index for index in missing if _expires(index)]):
        if some:
            # Not of all members, MongoDB's default: who restores may have lost one.
            collection.create_indexes([_model(index) for index in some], commitQuorum="majority")
    if _rules(shape.options) != _rules(collection.options()):
        run_command("collMod", name, **_rules(shape.options))


def differences(shapes: Mapping[str, Shape], prefix: str = "") -> list[str]:
    """What the database has otherwise than `shapes`; further indexes and collections don't count."""
    found, sharded = read(prefix), on_shards()
    wrong = []
    for name, shape in shapes.items():
        if name not in found:
            wrong.append(f"{name} doesn't exist")
            continue
        is_now = found[name][1]
        indexes = {index["name"]: _comparable(index) for index in is_now.indexes}
        wrong += [
            f"index {index['name']} of {name}"
            for index in shape.indexes
            if indexes.get(index["name"]) != _comparable(index)
        ]
        if _rules(is_now.options) != _rules(shape.options):
            wrong.append(f"validator of {name}")
        if sharded and is_now.shard_key != shape.shard_key:
            wrong.append(f"shard key of {name}")
    return wrong


# The options that collMod changes, with MongoDB's defaults.
_RULES: dict[str, Any] = {"validator": {}, "validationLevel": "strict", "validationAction": "error"}


def _rules(options: Mapping[str, Any]) -> Row:
    return {key: options.get(key, default) for key, default in _RULES.items()}


def _expires(index: Mapping[str, Any]) -> bool:
    return "expireAfterSeconds" in index


def _model(index: Mapping[str, Any]) -> IndexModel:
    options = {key: value for key, value in index.items() if key not in ("key", "v", "ns", "name")}
    return IndexModel(list(index["key"].items()), name=index["name"], **options)


def _comparable(index: Mapping[str, Any]) -> Row:
    return {**{key: value for key, value in index.items() if key not in ("v", "ns")}, "key": list(index["key"].items())}

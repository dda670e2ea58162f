"""The shape of the database's collections: read for a backup, made and compared for a restore."""

from collections.abc import Mapping
from typing import Any

from pymongo import IndexModel

from app.db.backups.manifest import Shape
from app.db.core import Row, get_database, run_command


def read() -> dict[str, tuple[Any, Shape]]:
    """All collections of the library by name, each with the UUID that MongoDB gave it."""
    database = get_database()
    keys = shard_keys()
    shapes = {}
    for info in database.list_collections():
        name = info["name"]
        if info["type"] != "collection" or name.startswith("system."):
            continue
        indexes = [dict(index) for index in database[name].list_indexes() if index["name"] != "_id_"]
        shape = Shape(info.get("options", {}), indexes, keys.get(name))
        shapes[name] = info["info"]["uuid"], shape
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


def create(name: str, shape: Shape) -> None:
    """Create a collection with its shard key where there are shards, without indexes and validator. May be repeated."""
    database = get_database()
    admin = database.client.admin
    if shape.shard_key is not None and on_shards():
        admin.command("enableSharding", database.name)
        if name not in shard_keys():
            admin.command("shardCollection", f"{database.name}.{name}", key=dict(shape.shard_key))
    elif name not in database.list_collection_names():
        database.create_collection(name)


def complete(name: str, shape: Shape) -> None:
    """Make the indexes and the validator of a loaded collection. May be repeated."""
    collection = get_database()[name]
    there = {index["name"] for index in collection.list_indexes()}
    if missing := [_model(index) for index in shape.indexes if index["name"] not in there]:
        collection.create_indexes(missing)
    if changes := {key: shape.options[key] for key in _MODIFIABLE if key in shape.options}:
        run_command("collMod", name, **changes)


def differences(name: str, shape: Shape) -> list[str]:
    """What the collection in the database has otherwise than `shape`."""
    found = read().get(name)
    if found is None:
        return ["it doesn't exist"]
    _, is_now = found
    wanted = {index["name"]: _comparable(index) for index in shape.indexes}
    indexes = {index["name"]: _comparable(index) for index in is_now.indexes}
    wrong = [f"index {index}" for index in wanted if indexes.get(index) != wanted[index]]
    wrong += [f"option {key}" for key in _MODIFIABLE if is_now.options.get(key) != shape.options.get(key)]
    if on_shards() and is_now.shard_key != shape.shard_key:
        wrong.append("shard key")
    return wrong


_MODIFIABLE = ("validator", "validationLevel", "validationAction")


def _model(index: Mapping[str, Any]) -> IndexModel:
    options = {key: value for key, value in index.items() if key not in ("key", "v", "ns", "name")}
    return IndexModel(list(index["key"].items()), name=index["name"], **options)


def _comparable(index: Mapping[str, Any]) -> Row:
    return {**{key: value for key, value in index.items() if key not in ("v", "ns")}, "key": list(index["key"].items())}

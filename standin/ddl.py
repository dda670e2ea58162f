"""Commands on databases, collections and indexes. The database's primary shard coordinates the other shards."""

from collections.abc import Mapping
from typing import Any

from bson import Int64

from standin.catalog import MAJORITY, Routing
from standin.errors import CommandError, Reply, check, unauthorized, without_metadata
from standin.operation import Operation, no_such_namespace
from standin.privileges import Need
from standin.reads import ask_shard, empty_cursor, on_config_servers

MAX_NAMES = 100_000


async def create(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation, write=True)

    async def action(routing: Routing | None) -> Reply:
        assert routing is not None  # noqa: S101 - created below
        command = {**operation.arguments, **routing.database_version}
        await operation.send_to_shard(routing.primary, command, write=True)
        return {"ok": 1.0}

    return await operation.routed(operation.namespace, action, create=True)


async def create_indexes(operation: Operation) -> Reply:
    """Creates them on every shard that holds documents of the collection."""
    if operation.on_config_servers:
        return await on_config_servers(operation, write=True)

    async def action(routing: Routing | None) -> Reply:
        assert routing is not None  # noqa: S101 - created below
        replies = await operation.scatter(routing.all_shards, operation.arguments, routing, write=True)
        raw = {
            operation.catalog.shards[shard].connection_string: without_metadata(reply)
            for shard, (reply, _) in replies.items()
        }
        return {"raw": raw, "ok": 1.0}

    return await operation.routed(operation.namespace, action, create=True)


async def list_collections(operation: Operation) -> Reply:
    """Users without the privilege get names only, of collections on which they have any privilege."""
    privileges = await operation.privileges()
    if privileges.allow(Need("listCollections", operation.database)):
        return await _list_collections(operation)
    options = operation.arguments
    if not (options.get("nameOnly") and options.get("authorizedCollections")):
        raise unauthorized(f"not authorized on {operation.database} to execute command listCollections")
    operation.arguments = {**options, "cursor": {"batchSize": MAX_NAMES}}
    cursor = dict((await _list_collections(operation))["cursor"])
    names = (entry["name"] for entry in cursor["firstBatch"])
    visible = {name for name in names if privileges.touch_collection(operation.database, name)}
    cursor["firstBatch"] = [entry for entry in cursor["firstBatch"] if entry["name"] in visible]
    return {"cursor": cursor, "ok": 1.0}


async def _list_collections(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)
    namespace = f"{operation.database}.$cmd.listCollections"

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            return empty_cursor(namespace)
        return await ask_shard(operation, routing.primary, operation.arguments, routing.database_version)

    return await operation.routed(namespace, action)


async def list_indexes(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            raise no_such_namespace(operation.namespace)
        shard = routing.all_shards[0]
        return await ask_shard(operation, shard, operation.arguments, routing.version_fields(shard))

    return await operation.routed(operation.namespace, action)


async def drop(operation: Operation) -> Reply:
    return await _coordinated(operation, "_shardsvrDropCollection")


async def drop_indexes(operation: Operation) -> Reply:
    return await _coordinated(operation, "_shardsvrDropIndexes", must_exist=True)


async def coll_mod(operation: Operation) -> Reply:
    return await _coordinated(operation, "_shardsvrCollMod", must_exist=True)


async def drop_database(operation: Operation) -> Reply:
    return {"dropped": operation.database, **await _coordinated(operation, "_shardsvrDropDatabase")}


async def rename_collection(operation: Operation) -> Reply:
    """Rename a collection, sharded or not, within its database."""
    source, target = str(operation.target), str(operation.arguments["to"])
    operation.database, _, collection = source.partition(".")
    database, _, new = target.partition(".")
    if database != operation.database or operation.on_config_servers:
        raise CommandError(20, "IllegalOperation", "the mongos stand-in renames within a database of the shards only")
    if collection.startswith("system.") or new.startswith("system."):
        raise CommandError(20, "IllegalOperation", f"can't rename {source} to {target}: a system collection")
    options = {"dropTarget": bool(operation.arguments.get("dropTarget")), "writeConcern": MAJORITY}
    command = {"_shardsvrRenameCollection": collection, "to": target, **options}

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            raise no_such_namespace(source)
        shard = await operation.catalog.shard(routing.primary)
        reply, _ = await operation.send(shard, {**command, **routing.database_version}, write=True, session=False)
        return without_metadata(check(reply))

    try:
        return await operation.routed(source, action)
    finally:
        operation.catalog.forget_database(operation.database)


async def _coordinated(operation: Operation, internal: str, *, must_exist: bool = False) -> Reply:
    """Send the command to the database's primary shard, under its internal name."""
    if operation.on_config_servers:
        return await on_config_servers(operation, write=True)
    options = {key: value for key, value in operation.arguments.items() if key != operation.name}
    command = {internal: operation.target, **options, "writeConcern": MAJORITY}

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            if must_exist:
                raise no_such_namespace(operation.namespace)
            return {"ok": 1.0}
        shard = await operation.catalog.shard(routing.primary)
        versioned = {**command, **routing.database_version}
        reply, _ = await operation.send(shard, versioned, write=True, session=False)
        return without_metadata(check(reply))

    try:
        return await operation.routed(operation.namespace, action)
    finally:
        operation.catalog.forget_database(operation.database)


async def _on_every_shard(operation: Operation, command: Mapping[str, Any]) -> dict[str, Reply]:
    replies = {}
    for shard_id in sorted(await operation.catalog.load_shards()):
        reply, _ = await operation.send_to_shard(shard_id, command)
        replies[shard_id] = without_metadata(reply)
    return replies


async def list_databases(operation: Operation) -> Reply:
    """The shards' databases, sizes added up, and the config servers' `admin` and `config`."""
    names_only = bool(operation.arguments.get("nameOnly"))
    per_shard = await _on_every_shard(operation, operation.arguments)
    own, _ = await operation.send(operation.catalog.config, operation.arguments)
    found: dict[str, dict[str, Any]] = {}
    for shard_id, reply in [*per_shard.items(), ("config", check(own))]:
        for database in reply["databases"]:
            name = database["name"]
            if name == "local" or (name in ("config", "admin")) != (shard_id == "config"):
                continue
            entry = found.setdefault(name, {"name": name})
            if not names_only:
                entry["sizeOnDisk"] = Int64(entry.get("sizeOnDisk", 0) + database["sizeOnDisk"])
                entry["empty"] = bool(entry.get("empty", True) and database["empty"])
                entry.setdefault("shards", {})[shard_id] = Int64(database["sizeOnDisk"])
    privileges = await operation.privileges()
    everything = privileges.allow(Need("listDatabases", cluster=True))
    visible = [found[name] for name in sorted(found) if everything or privileges.touch_database(name)]
    reply = {"databases": visible, "ok": 1.0}
    if not names_only:
        total = sum(database["sizeOnDisk"] for database in visible)
        reply.update(totalSize=Int64(total), totalSizeMb=Int64(total >> 20))
    return reply


async def database_statistics(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)
    replies = await _on_every_shard(operation, operation.arguments)
    raw = {operation.catalog.shards[shard].connection_string: reply for shard, reply in replies.items()}
    total: Reply = {"raw": raw, "db": operation.database}
    for name in (
        "collections",
        "views",
        "objects",
        "dataSize",
        "storageSize",
        "totalSize",
        "indexes",
        "indexSize",
    ):
        values = [reply[name] for reply in replies.values() if name in reply]
        if values:
            total[name] = type(values[0])(sum(values))
    return {**total, "ok": 1.0}

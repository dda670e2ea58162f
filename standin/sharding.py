"""Administration of the sharded cluster: nearly all of it is the config servers' own work, under internal
names.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

from bson import Int64

from standin.catalog import MAJORITY, Routing
from standin.errors import CommandError, Reply, check, not_supported, without_metadata
from standin.operation import MAX_ROUTING_ATTEMPTS, STALE_PAUSE_SECONDS, Operation, no_such_namespace
from standin.routing import ChunkTable
from standin.wire import plain


async def _on_config(
    operation: Operation,
    internal: str,
    *,
    value: Any = None,
    fields: Sequence[str] = (),
    majority: bool = True,
) -> Reply:
    """Run `internal` on the config servers with the client's value and those of its options that are named."""
    command = {internal: operation.target if value is None else value}
    command.update({name: operation.arguments[name] for name in fields if name in operation.arguments})
    reply = await operation.catalog.config_command(command, majority=majority)
    operation.note(reply)
    return without_metadata(reply)


async def add_shard(operation: Operation) -> Reply:
    reply = await _on_config(operation, "_configsvrAddShard", fields=("name", "maxSize"))
    await operation.catalog.load_shards()
    return reply


async def remove_shard(operation: Operation) -> Reply:
    """Starts draining, and reports on it when asked again: `state` is started, ongoing or completed.

    The balancer moves the chunks. The config servers don't call it completed before the last one has left;
    the documents that were moved away are deleted from the shard later (its orphanCleanupDelaySecs, 900 s),
    which removal doesn't wait for.
    """
    reply = await _on_config(operation, "_configsvrRemoveShard")
    await operation.catalog.load_shards()
    operation.catalog.forget_everything()
    return reply


async def list_shards(operation: Operation) -> Reply:
    return {"shards": await operation.catalog.read_config("shards", {}), "ok": 1.0}


async def enable_sharding(operation: Operation) -> Reply:
    command: dict[str, Any] = {"_configsvrCreateDatabase": operation.target}
    if "primaryShard" in operation.arguments:
        command["primaryShardId"] = operation.arguments["primaryShard"]
    await operation.catalog.config_command(command)
    operation.catalog.forget_database(str(operation.target))
    return {"ok": 1.0}


async def shard_collection(operation: Operation) -> Reply:
    namespace = str(operation.target)
    operation.database, _, collection = namespace.partition(".")
    command = {"_shardsvrCreateCollection": collection, "shardKey": operation.arguments["key"]}
    for option in ("unique", "numInitialChunks", "presplitHashedZones", "collation"):
        if option in operation.arguments:
            command[option] = operation.arguments[option]
    command["writeConcern"] = MAJORITY

    async def action(routing: Routing | None) -> Reply:
        assert routing is not None  # noqa: S101 - created below
        shard = await operation.catalog.shard(routing.primary)
        versioned = {**command, **routing.database_version}
        reply, _ = await operation.send(shard, versioned, write=True, session=False)
        check(reply)
        return {"collectionsharded": namespace, "ok": 1.0}

    try:
        return await operation.routed(namespace, action, create=True)
    finally:
        operation.catalog.forget(namespace)


async def move_primary(operation: Operation) -> Reply:
    """Move what isn't sharded in a database: a shard can't be removed before it is no database's primary."""
    database = str(operation.target)

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            raise no_such_namespace(database)
        command = {"_shardsvrMovePrimary": database, "to": operation.arguments["to"], "writeConcern": MAJORITY}
        shard = await operation.catalog.shard(routing.primary)
        reply, _ = await operation.send(shard, {**command, **routing.database_version}, write=True, session=False)
        return without_metadata(check(reply))

    try:
        return await operation.routed(database, action)
    finally:
        operation.catalog.forget_database(database)


async def balancer_start(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerStart", value=1, fields=("maxTimeMS",), majority=False)


async def balancer_stop(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerStop", value=1, fields=("maxTimeMS",), majority=False)


async def balancer_status(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerStatus", value=1, majority=False)


async def balancer_collection_status(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerCollectionStatus", majority=False)


async def configure_collection_balancing(operation: Operation) -> Reply:
    fields = ("chunkSize", "defragmentCollection", "enableAutoSplitter")
    return await _on_config(operation, "_configsvrConfigureCollectionBalancing", fields=fields, majority=False)


async def add_shard_to_zone(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrAddShardToZone", fields=("zone",))


async def remove_shard_from_zone(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrRemoveShardFromZone", fields=("zone",))


async def update_zone_key_range(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrUpdateZoneKeyRange", fields=("min", "max", "zone"))


async def _fresh_chunks(operation: Operation, namespace: str) -> ChunkTable:
    operation.catalog.forget(namespace)
    routing = await operation.catalog.routing(namespace)
    if routing is None or routing.chunks is None:
        raise CommandError(118, "NamespaceNotSharded", f"Collection {namespace} is not sharded")
    return routing.chunks


async def _named_chunk(operation: Operation, chunks: ChunkTable) -> Mapping[str, Any]:
    """The chunk that `find` (a query for one key) or `bounds` (its min and max) means."""
    if "bounds" in operation.arguments:
        return chunks.chunk_of_key(plain(operation.arguments["bounds"][0]))
    points = chunks.points(operation.arguments.get("find") or {})
    if not points:
        raise CommandError(61, "ShardKeyNotFound", "no shard key found in chunk query")
    return chunks.chunk_of_values(points[0])


async def move_chunk(operation: Operation) -> Reply:
    namespace = str(operation.target)
    started = time.monotonic()
    chunk = await _named_chunk(operation, await _fresh_chunks(operation, namespace))
    wait = operation.arguments.get("_waitForDelete") or operation.arguments.get("waitForDelete")
    command = {
        "_configsvrMoveRange": namespace,
        "toShard": operation.arguments["to"],
        "min": chunk["min"],
        "max": chunk["max"],
        "waitForDelete": bool(wait),
    }
    try:
        await operation.catalog.config_command(command)
    finally:
        operation.catalog.forget(namespace)
    return {"millis": Int64((time.monotonic() - started) * 1000), "ok": 1.0}


async def split(operation: Operation) -> Reply:
    namespace = str(operation.target)
    middle = operation.arguments.get("middle")
    if middle is None:
        raise not_supported("split without `middle`")
    for attempt in range(MAX_ROUTING_ATTEMPTS):
        chunks = await _fresh_chunks(operation, namespace)
        chunk = chunks.chunk_of_key(middle)
        command = {
            "_shardsvrSplitChunk": namespace,
            "from": chunk["shard"],
            "keyPattern": chunks.key,
            "epoch": chunks.epoch,
            "timestamp": chunks.timestamp,
            "min": chunk["min"],
            "max": chunk["max"],
            "splitKeys": [middle],
        }
        shard = await operation.catalog.shard(chunk["shard"])
        reply, _ = await shard.run("admin", command)
        # LockBusy: the balancer is at work on this collection.
        if reply.get("code") != 46 or attempt == MAX_ROUTING_ATTEMPTS - 1:
            break
        await asyncio.sleep(STALE_PAUSE_SECONDS * attempt)
    operation.catalog.forget(namespace)
    check(reply)
    return {"ok": 1.0}


async def get_shard_version(operation: Operation) -> Reply:
    chunks = await _fresh_chunks(operation, str(operation.target))
    return {
        "version": chunks.newest_version,
        "versionEpoch": chunks.epoch,
        "versionTimestamp": chunks.timestamp,
        "ok": 1.0,
    }


async def get_shard_map(operation: Operation) -> Reply:
    catalog = operation.catalog
    sets = {**await catalog.load_shards(), "config": catalog.config}
    names = {shard_id: replica_set.connection_string for shard_id, replica_set in sets.items()}
    hosts = {host: shard_id for shard_id, known in sets.items() for host in known.monitor.hosts}
    strings = {text: shard_id for shard_id, text in names.items()}
    return {"map": names, "hosts": hosts, "connStrings": strings, "ok": 1.0}


async def flush_router_config(operation: Operation) -> Reply:
    operation.catalog.forget_everything()
    return {"flushed": True, "ok": 1.0}

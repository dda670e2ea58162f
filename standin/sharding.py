"""Administration of the sharded cluster, mostly done by the config servers under internal command names."""

import time
from collections.abc import Sequence
from typing import Any

from bson import Int64

from standin.catalog import MAJORITY, Routing
from standin.errors import Reply, check, without_metadata
from standin.operation import Operation
from standin.wire import plain


async def _on_config(
    operation: Operation,
    internal: str,
    *,
    value: Any = None,
    fields: Sequence[str] = (),
    majority: bool = True,
) -> Reply:
    """Run `internal` on the config servers with the client's value (or `value`) and its options `fields`."""
    command = {internal: operation.target if value is None else value}
    command.update({name: operation.arguments[name] for name in fields if name in operation.arguments})
    reply = await operation.catalog.config_command(command, majority=majority)
    operation.note(reply)
    return without_metadata(reply)


async def add_shard(operation: Operation) -> Reply:
    reply = await _on_config(operation, "_configsvrAddShard", fields=("name",))
    await operation.catalog.load_shards()
    return reply


async def list_shards(operation: Operation) -> Reply:
    return {"shards": await operation.catalog.read_config("shards", {}), "ok": 1.0}


async def enable_sharding(operation: Operation) -> Reply:
    await operation.catalog.config_command({"_configsvrCreateDatabase": operation.target})
    operation.catalog.forget_database(str(operation.target))
    return {"ok": 1.0}


async def shard_collection(operation: Operation) -> Reply:
    namespace = str(operation.target)
    operation.database, _, collection = namespace.partition(".")
    command = {"_shardsvrCreateCollection": collection, "shardKey": operation.arguments["key"]}
    if "unique" in operation.arguments:
        command["unique"] = operation.arguments["unique"]
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


async def balancer_start(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerStart", value=1, majority=False)


async def balancer_stop(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerStop", value=1, majority=False)


async def balancer_status(operation: Operation) -> Reply:
    return await _on_config(operation, "_configsvrBalancerStatus", value=1, majority=False)


async def move_chunk(operation: Operation) -> Reply:
    """Move the chunk between `bounds` (its min and max) to another shard."""
    namespace = str(operation.target)
    started = time.monotonic()
    minimum, maximum = plain(operation.arguments["bounds"])
    command = {
        "_configsvrMoveRange": namespace,
        "toShard": operation.arguments["to"],
        "min": minimum,
        "max": maximum,
        "waitForDelete": bool(operation.arguments.get("_waitForDelete")),
    }
    try:
        await operation.catalog.config_command(command)
    finally:
        operation.catalog.forget(namespace)
    return {"millis": Int64((time.monotonic() - started) * 1000), "ok": 1.0}


async def get_shard_map(operation: Operation) -> Reply:
    catalog = operation.catalog
    sets = {**await catalog.load_shards(), "config": catalog.config}
    names = {shard_id: replica_set.connection_string for shard_id, replica_set in sets.items()}
    hosts = {host: shard_id for shard_id, known in sets.items() for host in known.monitor.hosts}
    strings = {text: shard_id for shard_id, text in names.items()}
    return {"map": names, "hosts": hosts, "connStrings": strings, "ok": 1.0}

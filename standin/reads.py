"""find, count, distinct: to the one shard that can answer, or to all and merged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bson import Int64

from standin.bson_order import order_key
from standin.catalog import Routing
from standin.cursors import DEFAULT_BATCH, MergedCursor, RemoteCursor
from standin.errors import COMMAND_ON_SHARDED_VIEW, CommandError, Reply, not_supported, without_metadata
from standin.operation import Operation

# How long a shard may take over an answer right after an election elsewhere; twice as long each time.
PATIENCE_SECONDS = 1.0


async def on_config_servers(operation: Operation, *, write: bool = False) -> Reply:
    """Pass a command on to the config servers as it is."""
    config = operation.catalog.config
    reply, host = await operation.send(config, operation.arguments, write=write)
    return operation.router.cursors.adopt(operation, config, host, without_metadata(reply))


async def ask_shard(
    operation: Operation,
    shard_id: str,
    command: Mapping[str, Any],
    version: Mapping[str, Any],
    *,
    namespace: str | None = None,
) -> Reply:
    """Let one shard answer; a cursor that it opens becomes one of ours."""
    reply, host = await operation.send_to_shard(shard_id, {**command, **version})
    return operation.router.cursors.adopt(operation, operation.catalog.shards[shard_id], host, reply, namespace)


def empty_cursor(namespace: str) -> Reply:
    return {"cursor": {"id": Int64(0), "ns": namespace, "firstBatch": []}, "ok": 1.0}


async def find(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            return empty_cursor(operation.namespace)
        command = operation.arguments
        shards = routing.shards_of_query(command.get("filter") or {}, command.get("collation"))
        if len(shards) == 1:
            return await ask_shard(operation, shards[0], command, routing.version_fields(shards[0]))
        return await _find_on_shards(operation, routing, shards)

    try:
        return await operation.routed(operation.namespace, action)
    except CommandError as error:
        return await _on_view(operation, error, _find_as_pipeline(operation.arguments))


async def _find_on_shards(operation: Operation, routing: Routing, shards: tuple[str, ...]) -> Reply:
    command = dict(operation.arguments)
    skip = int(command.pop("skip", 0))
    limit = abs(int(command.pop("limit", 0)))
    single_batch = bool(command.pop("singleBatch", False))
    batch_size = int(command.get("batchSize", DEFAULT_BATCH))
    command["batchSize"] = batch_size
    if limit:
        command["limit"] = limit + skip
    directions: list[int] = []
    sort = command.get("sort")
    if sort and list(sort) != ["$natural"]:
        directions = [_direction(value) for value in sort.values()]
        command["projection"] = {**(command.get("projection") or {}), "$sortKey": {"$meta": "sortKey"}}
    replies = await operation.scatter(shards, command, routing)
    remotes = [
        RemoteCursor.of_reply(operation.catalog.shards[shard], host, reply) for shard, (reply, host) in replies.items()
    ]
    cursor = MergedCursor(remotes, sort=directions, skip=skip, limit=limit)
    return await operation.router.cursors.open(
        operation, cursor, operation.namespace, batch_size=batch_size, single_batch=single_batch
    )


def _direction(value: Any) -> int:
    """1 or -1; a `{$meta: "textScore"}` sorts the best match first."""
    return -1 if isinstance(value, Mapping) or value < 0 else 1


async def count(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)

    async def action(routing: Routing | None) -> Reply:
        command = operation.arguments
        if routing is None:
            return {"n": 0, "ok": 1.0}
        shards = routing.shards_of_query(command.get("query") or {}, command.get("collation"))
        if len(shards) == 1:
            return await ask_shard(operation, shards[0], command, routing.version_fields(shards[0]))
        per_shard = {key: value for key, value in command.items() if key not in ("skip", "limit")}
        skip, limit = int(command.get("skip", 0)), abs(int(command.get("limit", 0)))
        replies = await operation.scatter(shards, per_shard, routing)
        total = max(0, sum(reply["n"] for reply, _ in replies.values()) - skip)
        return {"n": min(total, limit) if limit else total, "ok": 1.0}

    try:
        return await operation.routed(operation.namespace, action)
    except CommandError as error:
        reply = await _on_view(operation, error, _count_as_pipeline(operation.arguments))
        batch = reply["cursor"]["firstBatch"]
        return {"n": batch[0]["n"] if batch else 0, "ok": 1.0}


async def distinct(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)

    async def action(routing: Routing | None) -> Reply:
        command = operation.arguments
        if routing is None:
            return {"values": [], "ok": 1.0}
        shards = routing.shards_of_query(command.get("query") or {}, command.get("collation"))
        if len(shards) == 1:
            return await ask_shard(operation, shards[0], command, routing.version_fields(shards[0]))
        if command.get("collation"):
            raise not_supported("distinct with a collation over several shards")
        replies = await operation.scatter(shards, command, routing)
        values = {order_key(value): value for reply, _ in replies.values() for value in reply["values"]}
        return {"values": [values[key] for key in sorted(values)], "ok": 1.0}

    return await operation.routed(operation.namespace, action)


async def aggregate(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)
    pipeline = list(operation.arguments["pipeline"])
    try:
        return await _aggregate(operation, operation.arguments, pipeline)
    except CommandError as error:
        options = {"cursor": operation.arguments.get("cursor", {})}
        return await _on_view(operation, error, pipeline, **options)


async def _aggregate(operation: Operation, command: Mapping[str, Any], pipeline: list[Any]) -> Reply:
    collection = command["aggregate"]
    if not isinstance(collection, str):
        raise not_supported("aggregate without a collection")
    namespace = f"{operation.database}.{collection}"

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            return empty_cursor(namespace)
        first = next(iter(pipeline[0])) if pipeline else None
        query = pipeline[0]["$match"] if first == "$match" else {}
        shards = routing.shards_of_query(query, command.get("collation"))
        writes = bool(pipeline) and next(iter(pipeline[-1])) in ("$out", "$merge")
        if len(shards) == 1 and not (writes and shards[0] != routing.primary):
            return await ask_shard(operation, shards[0], command, routing.version_fields(shards[0]))
        if first in ("$collStats", "$indexStats"):
            return await _per_shard(operation, command, routing, shards)
        return await _through_primary(operation, command, pipeline, routing, writes=writes)

    return await operation.routed(namespace, action)


async def _per_shard(
    operation: Operation, command: Mapping[str, Any], routing: Routing, shards: tuple[str, ...]
) -> Reply:
    """Statistics: the shards' own documents, each tagged with its shard."""
    replies = await operation.scatter(shards, command, routing)
    remotes = [
        RemoteCursor.of_reply(operation.catalog.shards[shard], host, reply) for shard, (reply, host) in replies.items()
    ]
    cursor = MergedCursor(remotes, tag=True)
    return await operation.router.cursors.open(operation, cursor, operation.namespace, batch_size=10**6)


async def _through_primary(
    operation: Operation, command: Mapping[str, Any], pipeline: list[Any], routing: Routing, *, writes: bool
) -> Reply:
    """An aggregate over several shards, run by the database's primary shard.

    Shards can act as routers: a $unionWith makes the primary shard collect from all shards and merge. So
    splitting pipelines (mongos' hardest part) stays with the real server. An $out or $merge must remain the
    outer pipeline's.
    """
    if operation.transaction is not None:
        raise CommandError(
            263,
            "OperationNotSupportedInTransaction",
            "the mongos stand-in does not support an aggregate over several shards in a transaction",
        )
    inner, tail = (pipeline[:-1], pipeline[-1:]) if writes else (pipeline, [])
    union = {"$unionWith": {"coll": command["aggregate"], "pipeline": inner}}
    wrapped = {**command, "aggregate": 1, "pipeline": [{"$documents": []}, union, *tail]}
    wrapped.pop("hint", None)
    namespace = f"{operation.database}.{command['aggregate']}"

    def ask() -> Awaitable[Reply]:
        return ask_shard(operation, routing.primary, wrapped, routing.database_version, namespace=namespace)

    return await ask() if writes else await _despite_elections(operation, routing.all_shards, ask)


async def _despite_elections(
    operation: Operation, shard_ids: Sequence[str], ask: Callable[[], Awaitable[Reply]]
) -> Reply:
    """Ask a shard that asks others itself, and again whenever one of them has a new primary.

    A server goes on waiting for the old one, silent since its power failed, as long as nobody interrupts it. The new
    one may be news to it, so after an election it gets a moment before it is asked once more.
    """
    shards = [await operation.catalog.shard(shard_id) for shard_id in shard_ids]
    patience: float | None = None
    while True:
        answer = asyncio.ensure_future(ask())
        elections = [asyncio.create_task(shard.monitor.elected()) for shard in shards]
        try:
            await asyncio.wait({answer, *elections}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            patience = PATIENCE_SECONDS if patience is None else patience * 2
        finally:
            for task in (answer, *elections):
                task.cancel()


async def _on_view(operation: Operation, error: CommandError, tail: list[Any], **options: Any) -> Reply:
    """A shard said: this is a view on a sharded collection. Run the view's pipeline on that collection, then
    `tail`.

    Privileges are those on the view: whoever defined it needed them on the collection.
    """
    if error.code != COMMAND_ON_SHARDED_VIEW or "resolvedView" not in error.reply:
        raise error
    view = error.reply["resolvedView"]
    pipeline = [*view["pipeline"], *tail]
    kept: dict[str, Any] = {
        key: operation.arguments[key] for key in ("let", "collation", "allowDiskUse") if key in operation.arguments
    }
    cursor = {"batchSize": operation.arguments["batchSize"]} if "batchSize" in operation.arguments else {}
    collection = view["ns"].partition(".")[2]
    command: dict[str, Any] = {"aggregate": collection, "pipeline": pipeline, "cursor": cursor}
    command.update(kept, **options)
    return await _aggregate(operation, command, pipeline)


def _find_as_pipeline(command: Mapping[str, Any]) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = [{"$match": command.get("filter") or {}}]
    if command.get("sort"):
        stages.append({"$sort": command["sort"]})
    if command.get("skip"):
        stages.append({"$skip": command["skip"]})
    if command.get("limit"):
        stages.append({"$limit": abs(command["limit"])})
    if command.get("projection"):
        stages.append({"$project": command["projection"]})
    return stages


def _count_as_pipeline(command: Mapping[str, Any]) -> list[dict[str, Any]]:
    stages: list[dict[str, Any]] = [{"$match": command.get("query") or {}}]
    if command.get("skip"):
        stages.append({"$skip": command["skip"]})
    if command.get("limit"):
        stages.append({"$limit": abs(command["limit"])})
    return [*stages, {"$count": "n"}]

"""find, count and aggregate: sent to one shard if it has all documents, otherwise to several and merged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from bson import Int64

from standin.catalog import Routing
from standin.cursors import DEFAULT_BATCH, MergedCursor, RemoteCursor
from standin.errors import CommandError, Reply, without_metadata
from standin.operation import Operation

# How long a shard may take to answer after an election elsewhere; doubled with each try.
PATIENCE_SECONDS = 1.0


async def on_config_servers(operation: Operation, *, write: bool = False) -> Reply:
    """Pass a command on to the config servers unchanged."""
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
    """Send a command to one shard; a cursor that it opens is kept here."""
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
        shards = routing.shards_of_query(command.get("filter") or {}, operation.snapshot_time)
        if len(shards) == 1:
            return await ask_shard(operation, shards[0], command, routing.version_fields(shards[0]))
        return await _find_on_shards(operation, routing, shards)

    return await operation.routed(operation.namespace, action)


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
        directions = [1 if value > 0 else -1 for value in sort.values()]
        command["projection"] = {**(command.get("projection") or {}), "$sortKey": {"$meta": "sortKey"}}
    replies = await operation.scatter(shards, command, routing)
    cursor = MergedCursor(_remotes(operation, replies), sort=directions, skip=skip, limit=limit)
    reply = await operation.router.cursors.open(
        operation, cursor, operation.namespace, batch_size=batch_size, single_batch=single_batch
    )
    if operation.snapshot_time is not None:
        # What the client's session reads from now on, at the same time.
        reply["cursor"]["atClusterTime"] = operation.snapshot_time
    return reply


def _remotes(operation: Operation, replies: Mapping[str, tuple[Reply, str]]) -> list[RemoteCursor]:
    return [
        RemoteCursor.of_reply(operation.catalog.shards[shard], host, reply) for shard, (reply, host) in replies.items()
    ]


async def count(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            return {"n": 0, "ok": 1.0}
        shards = routing.shards_of_query(operation.arguments.get("query") or {}, operation.snapshot_time)
        replies = await operation.scatter(shards, operation.arguments, routing)
        return {"n": sum(reply["n"] for reply, _ in replies.values()), "ok": 1.0}

    return await operation.routed(operation.namespace, action)


async def aggregate(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation)
    pipeline = operation.arguments["pipeline"]

    async def action(routing: Routing | None) -> Reply:
        if routing is None:
            return empty_cursor(operation.namespace)
        first = next(iter(pipeline[0])) if pipeline else None
        query = pipeline[0]["$match"] if first == "$match" else {}
        shards = routing.shards_of_query(query, operation.snapshot_time)
        if len(shards) == 1:
            return await ask_shard(operation, shards[0], operation.arguments, routing.version_fields(shards[0]))
        if first == "$collStats":
            return await _per_shard(operation, routing, shards)
        return await _through_primary(operation, routing)

    return await operation.routed(operation.namespace, action)


async def _per_shard(operation: Operation, routing: Routing, shards: tuple[str, ...]) -> Reply:
    """Statistics: each shard's documents, tagged with its id."""
    replies = await operation.scatter(shards, operation.arguments, routing)
    cursor = MergedCursor(_remotes(operation, replies), tag=True)
    return await operation.router.cursors.open(operation, cursor, operation.namespace, batch_size=10**6)


async def _through_primary(operation: Operation, routing: Routing) -> Reply:
    """An aggregate over several shards, run by the database's primary shard.

    Shards can act as routers: a $unionWith makes the primary shard collect from all shards and merge. So
    splitting pipelines (mongos' hardest part) stays with the real server.
    """
    if operation.transaction is not None:
        raise CommandError(
            263,
            "OperationNotSupportedInTransaction",
            "the mongos stand-in does not support an aggregate over several shards in a transaction",
        )
    union = {"$unionWith": {"coll": operation.target, "pipeline": operation.arguments["pipeline"]}}
    wrapped = {**operation.arguments, "aggregate": 1, "pipeline": [{"$documents": []}, union]}
    wrapped.pop("hint", None)

    def ask() -> Awaitable[Reply]:
        return ask_shard(operation, routing.primary, wrapped, routing.database_version, namespace=operation.namespace)

    return await _despite_elections(operation, routing.all_shards, ask)


async def _despite_elections(
    operation: Operation, shard_ids: Sequence[str], ask: Callable[[], Awaitable[Reply]]
) -> Reply:
    """Ask a shard that asks others itself; ask again whenever one of those has a new primary.

    A server would wait for a former primary without power until it is interrupted. It may not know the new primary
    yet, so after an election it gets a moment before it is asked once more.
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

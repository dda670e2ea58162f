"""Updates that change the shard key so that the document moves to another shard.

The owning shard refuses such an update with WouldChangeOwningShard, which has the document before and after. As
mongos 6.0 does, the router then deletes one and inserts the other in a transaction: the client's, or, for a
retryable write, one of its own under the client's session and transaction number. So it is atomic, and when a
driver repeats it after a lost reply, the shards refuse it (IncompleteTransactionHistory) rather than do it twice.
Without a transaction or retryable writes the update is refused, as by mongos.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from standin.catalog import Routing
from standin.errors import STALE_CODES, WOULD_CHANGE_OWNING_SHARD, WRITE_CONFLICT, CommandError, Reply, check
from standin.operation import STALE_PAUSE_SECONDS, Operation
from standin.transactions import Transaction

# Meanwhile the document was changed, or its chunk moved.
AGAIN_CODES = STALE_CODES | {WRITE_CONFLICT}
ATTEMPTS = 5

ShardAction = Callable[[Routing | None], Awaitable[Reply]]

_NEEDS_TRANSACTION = "Must run update to shard key field in a multi-statement transaction or with retryWrites: true."


async def find_and_modify(operation: Operation, action: ShardAction, error: CommandError) -> Reply:
    """Finish a findAndModify that failed with `error`. `action` runs the command itself, for a transaction."""

    async def finish(change: Mapping[str, Any]) -> Reply:
        await move(operation, change)
        inserted = bool(change.get("shouldUpsert"))
        after = bool(operation.arguments.get("new"))
        status: dict[str, Any] = {"n": 1, "updatedExisting": not inserted}
        if inserted:
            status["upserted"] = change["postImage"]["_id"]
        before = None if inserted else change["preImage"]
        value = change["postImage"] if after else before
        return {"lastErrorObject": status, "value": value, "ok": 1.0}

    return await in_transaction(operation, action, error, finish)


async def update(operation: Operation, action: ShardAction, error: CommandError) -> Reply:
    """Finish an update command, of one statement, that failed with `error`."""

    async def finish(change: Mapping[str, Any]) -> Reply:
        await move(operation, change)
        if change.get("shouldUpsert"):
            upserted = [{"index": 0, "_id": change["postImage"]["_id"]}]
            return {"n": 1, "nModified": 0, "upserted": upserted, "ok": 1.0}
        return {"n": 1, "nModified": 1, "ok": 1.0}

    return await in_transaction(operation, action, error, finish)


async def in_transaction(
    operation: Operation,
    action: ShardAction,
    error: CommandError,
    finish: Callable[[Mapping[str, Any]], Awaitable[Reply]],
) -> Reply:
    """Finish in the client's transaction, or run a retryable write again in a transaction of its own.

    It must run again because another client may have changed the document since the shard refused.
    """
    if operation.transaction is not None:
        return await finish(error.reply)
    if not operation.retryable_write or operation.session_id is None:
        raise CommandError(20, "IllegalOperation", _NEEDS_TRANSACTION)
    for attempt in range(ATTEMPTS):
        try:
            return await _once(operation, action, finish)
        except CommandError as failure:
            # It was aborted; shards allow another transaction under the same number.
            if failure.code not in AGAIN_CODES or attempt == ATTEMPTS - 1:
                raise
        await asyncio.sleep(STALE_PAUSE_SECONDS * attempt)
    raise AssertionError("unreachable")


async def _once(
    operation: Operation, action: ShardAction, finish: Callable[[Mapping[str, Any]], Awaitable[Reply]]
) -> Reply:
    transaction = Transaction(operation.catalog, operation.session_id or {}, operation.generic["txnNumber"], {})
    operation.transaction = transaction
    try:
        try:
            reply = await operation.routed(operation.namespace, action, create=True)
        except CommandError as again:
            if again.code != WOULD_CHANGE_OWNING_SHARD:
                raise
            reply = await finish(again.reply)
        await transaction.commit(operation)
    except BaseException:
        await transaction.abort()
        raise
    finally:
        operation.transaction = None
    return reply


async def move(operation: Operation, change: Mapping[str, Any]) -> None:
    """Delete the old document, unless it is an upsert, and insert the new one."""
    collection = operation.target

    async def delete(routing: Routing | None) -> Reply:
        return await _one_shard(operation, routing, change["preImage"], {"delete": collection}, "deletes")

    async def insert(routing: Routing | None) -> Reply:
        return await _one_shard(operation, routing, change["postImage"], {"insert": collection}, "documents")

    if not change.get("shouldUpsert"):
        deleted = await operation.routed(operation.namespace, delete)
        if deleted["n"] != 1:
            raise CommandError(WRITE_CONFLICT, "WriteConflict", "the document was changed meanwhile")
    await operation.routed(operation.namespace, insert)


async def _one_shard(
    operation: Operation,
    routing: Routing | None,
    document: Mapping[str, Any],
    command: Mapping[str, Any],
    field: str,
) -> Reply:
    assert routing is not None and routing.chunks is not None  # noqa: S101, PT018 - it has just been updated there
    shard = routing.chunks.shard_of_document(document)
    item = document
    if field == "deletes":
        # The transaction fails if the document has changed: it reads and writes in one snapshot.
        item = {"q": {"_id": document["_id"], **routing.chunks.values_of_document(document)}, "limit": 1}
    full = {**command, field: [item], **routing.version_fields(shard)}
    reply, _ = await operation.send_to_shard(shard, full, write=True)
    for error in reply.get("writeErrors", []):
        check({"ok": 0.0, **error})
    return reply

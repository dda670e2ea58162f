"""insert, update and delete: a client's batch, split into batches for shards.

As in mongos, an ordered batch is sent in runs of consecutive operations for the same shard, one run after the
other, so that nothing after an error is done. (With a hashed key consecutive documents rarely share a shard:
loaders should use `ordered=False`.) An unordered batch goes to all its shards at once. An operation without the
shard key goes to every shard. Retryable statements keep their numbers, so that a shard recognises a repeated one.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from bson.raw_bson import RawBSONDocument

from standin import shard_key_update
from standin.catalog import Routing
from standin.errors import (
    RETRYABLE_CODES,
    STALE_CODES,
    WOULD_CHANGE_OWNING_SHARD,
    CommandError,
    Reply,
    StaleRoutingError,
    check,
)
from standin.operation import MAX_ROUTING_ATTEMPTS, STALE_PAUSE_SECONDS, Operation
from standin.reads import on_config_servers
from standin.targeting import target_write
from standin.wire import as_raw

PAYLOAD = {"insert": "documents", "update": "updates", "delete": "deletes"}

Targets = tuple[str, ...]


async def write(operation: Operation) -> Reply:
    """Raises CommandError when the whole batch failed; the reply's writeErrors has failures of single operations."""
    if operation.on_config_servers:
        return await on_config_servers(operation, write=True)
    if not operation.arguments[PAYLOAD[operation.name]]:
        raise CommandError(16, "InvalidLength", "Write batch sizes must be between 1 and 100000")
    try:
        return await _Batch(operation).run()
    except CommandError as error:
        if error.code != WOULD_CHANGE_OWNING_SHARD:
            raise
        return await _update_shard_key(operation, error)


async def _update_shard_key(operation: Operation, error: CommandError) -> Reply:
    updates = operation.arguments["updates"]
    if len(updates) != 1:
        raise CommandError(
            72,
            "InvalidOptions",
            "Document shard key updates that cause the doc to move shards must be sent with write batch of size 1",
        )

    async def action(routing: Routing | None) -> Reply:
        assert routing is not None  # noqa: S101 - the update has just found it
        (shard,) = target_write("update", updates[0], routing)
        command = {**operation.arguments, **routing.version_fields(shard)}
        reply, _ = await operation.send_to_shard(shard, command, write=True)
        for failure in reply.get("writeErrors", []):
            check({"ok": 0.0, **failure})
        return reply

    return await shard_key_update.update(operation, action, error)


async def find_and_modify(operation: Operation) -> Reply:
    if operation.on_config_servers:
        return await on_config_servers(operation, write=True)
    command = operation.arguments

    async def action(routing: Routing | None) -> Reply:
        assert routing is not None  # noqa: S101 - created above
        shard = routing.primary
        if routing.chunks is not None:
            shards, exact = routing.chunks.shards_of_query(command.get("query") or {})
            if not exact and len(routing.all_shards) > 1:
                raise CommandError(61, "ShardKeyNotFound", "Query for sharded findAndModify must contain the shard key")
            shard = shards[0]
        versioned = {**command, **routing.version_fields(shard)}
        reply, _ = await operation.send_to_shard(shard, versioned, write=True)
        return reply

    try:
        return await operation.routed(operation.namespace, action, create=True)
    except CommandError as error:
        if error.code != WOULD_CHANGE_OWNING_SHARD:
            raise
        return await shard_key_update.find_and_modify(operation, action, error)


@dataclass
class _Group:
    """Operations, by index in the client's batch, that go to the same shards in one command."""

    targets: Targets
    indexes: list[int] = field(default_factory=list)


class _Batch:
    def __init__(self, operation: Operation) -> None:
        self._operation = operation
        self._kind = operation.name
        self._field = PAYLOAD[self._kind]
        self._command = {key: value for key, value in operation.arguments.items() if key != self._field}
        self._ordered = bool(self._command.get("ordered", True))
        items = operation.arguments[self._field]
        self._items: Sequence[RawBSONDocument] = [self._prepare(item) for item in items]
        # Operations to do, and their shards: None until targeted, and fewer after a partial success.
        self._pending: dict[int, Targets | None] = dict.fromkeys(range(len(self._items)))
        self._matched = 0
        self._modified = 0
        self._upserted: list[dict[str, Any]] = []
        self._errors: list[dict[str, Any]] = []
        self._concern_error: Mapping[str, Any] | None = None
        self._stale = False

    def _prepare(self, item: RawBSONDocument) -> RawBSONDocument:
        # The router sets the _id, as mongos does: a repeated insert must not become a second document.
        if self._kind == "insert" and "_id" not in item:
            return as_raw({"_id": ObjectId(), **item})
        return as_raw(item)

    async def run(self) -> Reply:
        namespace = self._operation.namespace
        attempt = 0
        while self._pending:
            left = len(self._pending)
            routing = await self._operation.catalog.routing(namespace, create=True)
            assert routing is not None  # noqa: S101 - created
            self._stale = False
            await (self._run_ordered(routing) if self._ordered else self._run_unordered(routing))
            if self._stale:
                self._operation.catalog.forget(namespace)
                if self._operation.transaction is not None:
                    raise StaleRoutingError(13388, "StaleConfig", f"routing of {namespace} was stale")
                attempt = 0 if len(self._pending) < left else attempt + 1
                if attempt == MAX_ROUTING_ATTEMPTS:
                    raise CommandError(82, "NoProgressMade", f"no progress was made in writing to {namespace}")
                await asyncio.sleep(STALE_PAUSE_SECONDS * attempt)
        return self._reply()

    def _reply(self) -> Reply:
        reply: Reply = {"n": self._matched}
        if self._kind == "update":
            reply["nModified"] = self._modified
        if self._upserted:
            reply["upserted"] = sorted(self._upserted, key=lambda entry: entry["index"])
        if self._errors:
            reply["writeErrors"] = sorted(self._errors, key=lambda entry: entry["index"])
        if self._concern_error:
            reply["writeConcernError"] = self._concern_error
        return {**reply, "ok": 1.0}

    async def _run_ordered(self, routing: Routing) -> None:
        while self._pending and not self._stale:
            group = self._next_run(routing)
            if group.indexes:
                await self._send(group, routing)
            if self._errors:
                self._pending.clear()

    def _next_run(self, routing: Routing) -> _Group:
        """The next run: consecutive operations for one shard, or one operation for several."""
        group = _Group(())
        for index in self._pending:
            targets = self._targets(index, routing, quiet=bool(group.indexes))
            if targets is None or (group.indexes and targets != group.targets):
                break
            group.targets = targets
            group.indexes.append(index)
            if len(targets) > 1:
                break
        return group

    async def _run_unordered(self, routing: Routing) -> None:
        groups: dict[Targets, _Group] = {}
        for index in list(self._pending):
            targets = self._targets(index, routing)
            if targets is None:
                del self._pending[index]
            else:
                groups.setdefault(targets, _Group(targets)).indexes.append(index)
        await asyncio.gather(*(self._send(group, routing) for group in groups.values()))

    def _targets(self, index: int, routing: Routing, *, quiet: bool = False) -> Targets | None:
        """The shards for one operation. None if they can't be determined, which is an error unless `quiet`."""
        chosen = self._pending[index]
        if chosen is not None:
            return chosen
        try:
            return target_write(self._kind, self._items[index], routing)
        except CommandError as error:
            if not quiet:
                self._fail(index, error.reply)
            return None

    def _fail(self, index: int, error: Mapping[str, Any]) -> None:
        self._errors.append({"index": index, "code": error.get("code", 8), "errmsg": error.get("errmsg", "")})

    async def _send(self, group: _Group, routing: Routing) -> None:
        replies = await asyncio.gather(*(self._send_to(shard, group, routing) for shard in group.targets))
        left: dict[int, list[str]] = {index: [] for index in group.indexes}
        for shard, reply in zip(group.targets, replies, strict=True):
            for index in self._take_in(group, reply):
                left[index].append(shard)
        for index, shards in left.items():
            if not shards:
                self._pending.pop(index, None)
            elif index in self._pending:
                # A single shard's operation is targeted again; one for several keeps those that haven't done it.
                self._pending[index] = tuple(shards) if len(group.targets) > 1 else None

    async def _send_to(self, shard: str, group: _Group, routing: Routing) -> Reply:
        command = {**self._command, "ordered": self._ordered}
        command.update(routing.version_fields(shard, ignored=len(group.targets) > 1))
        if self._operation.retryable_write:
            command["stmtIds"] = group.indexes
        sequences = {self._field: [self._items[index] for index in group.indexes]}
        try:
            replica_set = await self._operation.catalog.shard(shard)
            reply, _ = await self._operation.send(replica_set, command, write=True, sequences=sequences)
        except CommandError as error:
            reply = error.reply
        return reply

    def _take_in(self, group: _Group, reply: Reply) -> list[int]:
        """Add a shard's reply to the result. Returns the operations to repeat with fresh routing."""
        code = reply.get("code")
        if reply.get("ok") != 1:
            return self._take_in_failure(group, reply, code)
        self._matched += reply.get("n", 0)
        self._modified += reply.get("nModified", 0)
        for entry in reply.get("upserted", []):
            self._upserted.append({"index": group.indexes[entry["index"]], "_id": entry["_id"]})
        self._concern_error = self._concern_error or reply.get("writeConcernError")
        again: list[int] = []
        for error in reply.get("writeErrors", []):
            position = error["index"]
            if error["code"] in STALE_CODES:
                self._stale = True
                again += group.indexes[position:] if self._ordered else [group.indexes[position]]
            elif error["code"] == WOULD_CHANGE_OWNING_SHARD:
                raise CommandError.from_reply({**error, "ok": 0.0})
            else:
                self._errors.append({**error, "index": group.indexes[position]})
        return again

    def _take_in_failure(self, group: _Group, reply: Reply, code: int | None) -> list[int]:
        if code in STALE_CODES:
            self._stale = True
            return group.indexes
        retry_by_driver = self._operation.retryable_write and code in RETRYABLE_CODES
        if self._operation.transaction is not None or retry_by_driver or code == WOULD_CHANGE_OWNING_SHARD:
            check(reply)
        for index in group.indexes[:1] if self._ordered else group.indexes:
            self._fail(index, reply)
        return []

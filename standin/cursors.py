"""The cursors that clients open on the router, each over one or more cursors on servers."""

import asyncio
import collections
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bson import Int64
from bson.raw_bson import RawBSONDocument

from standin.bson_order import Descending, SortKey, split_sort_key
from standin.errors import CommandError, Reply, check, unauthorized
from standin.replica_set import ReplicaSet
from standin.request import Request, User
from standin.wire import RAW

# The servers' cursorTimeoutMillis.
IDLE_SECONDS = 600.0
DEFAULT_BATCH = 101
# A reply must stay under 16 MiB. A larger document is sent alone.
MAX_BATCH_BYTES = 15 * 2**20
UNBOUNDED = 10**9


@dataclass
class RemoteCursor:
    """A cursor on one server, and the documents fetched from it that the client doesn't have yet."""

    replica_set: ReplicaSet
    host: str
    database: str
    collection: str
    cursor_id: int
    buffer: collections.deque[RawBSONDocument] = field(default_factory=collections.deque)

    @classmethod
    def of_reply(cls, replica_set: ReplicaSet, host: str, reply: Mapping[str, Any]) -> "RemoteCursor":
        cursor = reply["cursor"]
        database, _, collection = cursor["ns"].partition(".")
        documents = collections.deque(cursor["firstBatch"])
        return cls(replica_set, host, database, collection, int(cursor["id"]), documents)

    @property
    def exhausted(self) -> bool:
        return not self.buffer and not self.cursor_id

    async def fetch(self, request: Request, batch_size: int | None) -> None:
        """Get the next documents. Raises CommandError when the host or the cursor is gone."""
        command: dict[str, Any] = {"getMore": Int64(self.cursor_id), "collection": self.collection}
        if batch_size:
            command["batchSize"] = batch_size
        if "maxTimeMS" in request.generic:
            command["maxTimeMS"] = request.generic["maxTimeMS"]
        command.update(request.session_fields())
        try:
            raw = await self.replica_set.pool(self.host).command(self.database, command, seconds=request.reply_seconds)
        except (OSError, EOFError) as error:
            self.replica_set.monitor.suspect(self.host)
            raise CommandError(6, "HostUnreachable", f"{self.host} is gone, and its cursor with it") from error
        reply = dict(raw.items())
        request.note(reply)
        cursor = check(reply)["cursor"]
        self.cursor_id = int(cursor["id"])
        self.buffer.extend(cursor["nextBatch"])

    async def kill(self, request: Request) -> None:
        if not self.cursor_id:
            return
        command: dict[str, Any] = {"killCursors": self.collection, "cursors": [Int64(self.cursor_id)]}
        if request.session_id is not None:
            command["lsid"] = request.session_id
        self.cursor_id = 0
        try:
            await self.replica_set.pool(self.host).command(self.database, command)
        except (OSError, EOFError):
            return  # the cursor died with its host


class MergedCursor:
    """Documents of one or more remote cursors: as they arrive, or merged by the `$sortKey` that shards attach.

    `sort` has the direction (1 or -1) of each sort field; empty for no order. `skip` and `limit` (0: none) are
    applied here. `tag` adds the shard's id to each document, as `shard`.
    """

    def __init__(
        self,
        remotes: list[RemoteCursor],
        *,
        sort: list[int] | None = None,
        skip: int = 0,
        limit: int = 0,
        tag: bool = False,
    ) -> None:
        self.remotes = remotes
        self._sort = sort or []
        self._skip = skip
        self._left = limit or None
        self._tag = tag
        self._heads: dict[int, tuple[RawBSONDocument, RawBSONDocument, list[Any]]] = {}

    async def next_batch(self, request: Request, size: int) -> tuple[list[Any], bool]:
        """Up to `size` documents, and whether these are the last."""
        batch: list[Any] = []
        room = MAX_BATCH_BYTES
        while len(batch) < size and self._left != 0:
            remote = await self._next_remote(request, size)
            if remote is None:
                break
            document = self._peek(remote)
            if batch and len(document.raw) > room:
                break
            self._advance(remote)
            if self._skip:
                self._skip -= 1
                continue
            room -= len(document.raw)
            batch.append({"shard": remote.replica_set.shard_id, **document} if self._tag else document)
            if self._left is not None:
                self._left -= 1
            if not remote.buffer and batch and not self._sort and remote.cursor_id:
                # Return what is here rather than wait for a server.
                break
        done = self._left == 0 or all(remote.exhausted for remote in self.remotes)
        if done:
            await self.kill(request)
        return batch, done

    async def _next_remote(self, request: Request, size: int) -> RemoteCursor | None:
        if not self._sort:
            for remote in self.remotes:
                while not remote.exhausted:
                    if remote.buffer:
                        return remote
                    await remote.fetch(request, size if size < UNBOUNDED else None)
            return None
        empty = [remote for remote in self.remotes if not remote.buffer and remote.cursor_id]
        while empty:
            await asyncio.gather(*(remote.fetch(request, None) for remote in empty))
            empty = [remote for remote in empty if not remote.buffer and remote.cursor_id]
        live = [index for index, remote in enumerate(self.remotes) if remote.buffer]
        if not live:
            return None
        return self.remotes[min(live, key=lambda index: self._head(index)[2])]

    def _head(self, index: int) -> tuple[RawBSONDocument, RawBSONDocument, list[Any]]:
        """A remote cursor's next document: with its sort key, without it, and the sort key itself."""
        first = self.remotes[index].buffer[0]
        head = self._heads.get(index)
        if head is None or head[0] is not first:
            raw, keys = split_sort_key(first)
            directed: list[SortKey | Descending] = [
                key if direction > 0 else Descending(key) for key, direction in zip(keys, self._sort, strict=True)
            ]
            head = self._heads[index] = (first, RawBSONDocument(raw, RAW), directed)
        return head

    def _peek(self, remote: RemoteCursor) -> RawBSONDocument:
        return self._head(self.remotes.index(remote))[1] if self._sort else remote.buffer[0]

    def _advance(self, remote: RemoteCursor) -> None:
        remote.buffer.popleft()

    async def kill(self, request: Request) -> None:
        for remote in self.remotes:
            await remote.kill(request)


class Cursor(Protocol):
    """What can be kept for a client's getMore; a change stream's also has a `resume_token`."""

    async def next_batch(self, request: Request, size: int) -> tuple[list[Any], bool]: ...

    async def kill(self, request: Request) -> None: ...


@dataclass
class _Held:
    cursor: Cursor
    namespace: str
    user: User | None
    used: float


class Cursors:
    """The router's open cursors by id. The ids are its own: those of different servers may collide."""

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}

    def __len__(self) -> int:
        return len(self._held)

    async def open(
        self,
        request: Request,
        cursor: MergedCursor,
        namespace: str,
        *,
        batch_size: int | None = None,
        single_batch: bool = False,
    ) -> Reply:
        """A cursor's first reply; the cursor is kept if there is more."""
        size = DEFAULT_BATCH if batch_size is None else batch_size
        batch, done = await cursor.next_batch(request, size)
        if single_batch and not done:
            await cursor.kill(request)
            done = True
        cursor_id = 0 if done else self._keep(cursor, namespace, request.user)
        return {"cursor": {"firstBatch": batch, "id": Int64(cursor_id), "ns": namespace}, "ok": 1.0}

    def adopt(
        self,
        request: Request,
        replica_set: ReplicaSet,
        host: str,
        reply: Reply,
        namespace: str | None = None,
    ) -> Reply:
        """A single server's first reply as it is, except for the cursor's id and `namespace`."""
        cursor = reply.get("cursor")
        if cursor is None:
            return reply
        if cursor["id"]:
            remote = RemoteCursor.of_reply(replica_set, host, reply)
            remote.buffer.clear()
            held_id = self._keep(MergedCursor([remote]), namespace or cursor["ns"], request.user)
            reply["cursor"] = {**cursor, "id": Int64(held_id), "ns": namespace or cursor["ns"]}
        elif namespace is not None and cursor["ns"] != namespace:
            reply["cursor"] = {**cursor, "ns": namespace}
        return reply

    def open_stream(self, request: Request, stream: Cursor, namespace: str) -> Reply:
        """A change stream's first reply, without events."""
        cursor_id = self._keep(stream, namespace, request.user)
        return {"cursor": _with_token(stream, {"firstBatch": [], "id": Int64(cursor_id), "ns": namespace}), "ok": 1.0}

    def _keep(self, cursor: Cursor, namespace: str, user: User | None) -> int:
        cursor_id = random.SystemRandom().getrandbits(62) + 1
        self._held[cursor_id] = _Held(cursor, namespace, user, time.monotonic())
        return cursor_id

    def _owned(self, request: Request, cursor_id: int, collection: Any) -> _Held:
        held = self._held.get(cursor_id)
        if held is None or held.namespace.partition(".")[0] != request.database:
            raise CommandError(43, "CursorNotFound", f"cursor id {cursor_id} not found")
        if held.user != request.user:
            raise unauthorized(f"cursor id {cursor_id} was not created by the authenticated user")
        if held.namespace != f"{request.database}.{collection}":
            raise unauthorized(f"cursor id {cursor_id} does not belong to {request.database}.{collection}")
        return held

    async def get_more(self, request: Request) -> Reply:
        cursor_id = int(request.target)
        held = self._owned(request, cursor_id, request.arguments["collection"])
        size = int(request.arguments.get("batchSize") or UNBOUNDED)
        # Not in the table while in use: two concurrent getMore must not share a remote cursor.
        del self._held[cursor_id]
        batch, done = await held.cursor.next_batch(request, size)
        if not done:
            held.used = time.monotonic()
            self._held[cursor_id] = held
        reply_id = 0 if done else cursor_id
        reply = {"nextBatch": batch, "id": Int64(reply_id), "ns": held.namespace}
        return {"cursor": _with_token(held.cursor, reply), "ok": 1.0}

    async def kill(self, request: Request) -> Reply:
        killed, missing = [], []
        for cursor_id in request.arguments["cursors"]:
            try:
                held = self._owned(request, int(cursor_id), request.target)
            except CommandError as error:
                if error.code != 43:
                    raise
                missing.append(cursor_id)
                continue
            del self._held[int(cursor_id)]
            await held.cursor.kill(request)
            killed.append(cursor_id)
        return {
            "cursorsKilled": killed,
            "cursorsNotFound": missing,
            "cursorsAlive": [],
            "cursorsUnknown": [],
            "ok": 1.0,
        }

    def forget_idle(self) -> None:
        """Drop cursors that the servers have closed as idle."""
        oldest = time.monotonic() - IDLE_SECONDS
        for cursor_id in [key for key, held in self._held.items() if held.used < oldest]:
            del self._held[cursor_id]


def _with_token(cursor: Cursor, reply: dict[str, Any]) -> dict[str, Any]:
    token = getattr(cursor, "resume_token", None)
    return reply if token is None else {**reply, "postBatchResumeToken": token}

"""A database's change stream: one stream on each shard, merged in the order of their resume tokens.

Resume tokens are ordered as text, cluster time first. An event is passed on when every shard has reported a token that
isn't smaller, so that nothing can come that belongs before it.
https://www.mongodb.com/docs/manual/changeStreams/
"""

import asyncio
import collections
import contextlib
import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from bson import Int64, Timestamp
from bson.raw_bson import RawBSONDocument

from standin.catalog import MAJORITY
from standin.cursors import MAX_BATCH_BYTES, RemoteCursor
from standin.errors import RETRYABLE_CODES, CommandError, Reply, check
from standin.operation import Operation
from standin.replica_set import ReplicaSet
from standin.request import Request

# How long a getMore without maxTimeMS waits for an event.
AWAIT_SECONDS = 1.0
# A shard may answer this much later than it was told to.
SLACK_SECONDS = 10.0

# The driver may go on with a new stream after the last event: the above, CursorNotFound, CursorKilled, and
# FailedToSatisfyReadPreference, for which there is no primary.
_RESUMABLE_CODES = RETRYABLE_CODES | {43, 237, 133}
_RESUMABLE = "ResumableChangeStreamError"

# 0x82 (a timestamp), the cluster time in eight bytes, a version (0x2B and a byte), then the kind of token.
_TOKEN = re.compile(r"82([0-9A-F]{8})([0-9A-F]{8})2B..(..)[0-9A-F]*")
_NO_EVENT = "29"  # the kind of a token that is only a moment ("high water mark")
_INVALIDATE = "6F04"  # the end of an invalidate event's token


class ChangeStream:
    """A cursor (see `standin.cursors`) that goes on until an event says that it is invalid."""

    def __init__(self, pipeline: list[Mapping[str, Any]], position: str, start: Timestamp) -> None:
        """Begins after the token `position`, or if that is empty at the moment `start`."""
        self._pipeline, self._position = pipeline, position
        self._start = _moment(position) if position else start
        # The event that the client has must be there, or what comes after it may not be.
        self._expected = position if position and _parse(position).group(3) != _NO_EVENT else ""
        self._shards: dict[str, _OnShard] = {}

    @property
    def resume_token(self) -> Mapping[str, Any]:
        """The client has all events until here."""
        return {"_data": self._position}

    async def open(self, operation: Operation) -> None:
        """Open a cursor on every shard that has none yet; it begins where the client is. Raises CommandError."""
        start = _moment(self._position) if self._position else self._start
        for shard_id, replica_set in list((await operation.catalog.load_shards()).items()):
            if shard_id not in self._shards:
                self._shards[shard_id] = await _OnShard.open(operation, replica_set, self._pipeline, start)
        self._position = self._position or min(shard.seen for shard in self._shards.values())

    async def next_batch(self, request: Request, size: int) -> tuple[list[Any], bool]:
        """Events as soon as there are any, none after `maxTimeMS`; and whether these are the last."""
        assert isinstance(request, Operation)  # noqa: S101 - getMore
        limit = request.generic.get("maxTimeMS")
        expiry = time.monotonic() + (float(limit) / 1000 if limit else AWAIT_SECONDS)
        with _resumable():
            while True:
                left = max(0.0, expiry - time.monotonic())
                await self._fetch(request, left)
                batch = self._take(size)
                done = self._position.endswith(_INVALIDATE)
                if done:
                    await self.kill(request)
                if batch or left == 0:
                    return batch, done

    async def _fetch(self, operation: Operation, seconds: float) -> None:
        idle = [shard for shard in self._shards.values() if not shard.events]
        waiting = [shard.events[-1][0] for shard in self._shards.values() if shard.events]
        if waiting:
            await asyncio.gather(*(shard.catch_up(operation, max(waiting)) for shard in idle))
        await asyncio.gather(*(shard.fetch(operation, 0 if waiting else seconds) for shard in idle))
        # After the shards have answered: of one that was added before that, nothing has been missed.
        await self.open(operation)

    def _take(self, size: int) -> list[RawBSONDocument]:
        """The next events, of which it is known that nothing comes before them. Raises CommandError 280."""
        batch: list[RawBSONDocument] = []
        room = MAX_BATCH_BYTES
        while len(batch) < size:
            shard = min(self._shards.values(), key=lambda shard: shard.next_token)
            if not shard.events:
                self._move_to(shard.seen)
                break
            token, event = shard.events[0]
            if batch and len(event.raw) > room:
                break
            shard.events.popleft()
            if self._move_to(token):
                batch.append(event)
                room -= len(event.raw)
                if token.endswith(_INVALIDATE):
                    break
        return batch

    def _move_to(self, token: str) -> bool:
        """Returns False for what the client has. Raises CommandError 280 if its last event isn't there."""
        if self._expected and token >= self._expected:
            if token != self._expected:
                raise CommandError(
                    280,
                    "ChangeStreamFatalError",
                    f"cannot resume stream; the resume token was not found. {{_data: '{self._expected}'}}",
                )
            self._expected = ""
        if token <= self._position:
            return False
        self._position = token
        return True

    async def kill(self, request: Request) -> None:
        await asyncio.gather(*(shard.cursor.kill(request) for shard in self._shards.values()))


class _OnShard:
    """The stream of one shard: events that the client hasn't, and `seen`: the shard has told all until that token."""

    def __init__(self, cursor: RemoteCursor, first: Mapping[str, Any]) -> None:
        self.cursor = cursor
        self.events: collections.deque[tuple[str, RawBSONDocument]] = collections.deque()
        self._take(first, "firstBatch")

    @classmethod
    async def open(
        cls, operation: Operation, replica_set: ReplicaSet, pipeline: list[Mapping[str, Any]], start: Timestamp
    ) -> "_OnShard":
        """Raises CommandError."""
        options = {**pipeline[0]["$changeStream"], "startAtOperationTime": start}
        command = {
            "aggregate": 1,
            "pipeline": [{"$changeStream": options}, *pipeline[1:]],
            "cursor": {"batchSize": 0},
            "readConcern": {"level": "majority"},
        }
        reply, host = await operation.send(replica_set, command)
        return cls(RemoteCursor.of_reply(replica_set, host, check(reply)), reply["cursor"])

    @property
    def next_token(self) -> str:
        """Nothing that is smaller comes from this shard."""
        return self.events[0][0] if self.events else self.seen

    def _take(self, cursor: Mapping[str, Any], batch: str) -> None:
        self.events.extend((event["_id"]["_data"], event) for event in cursor[batch])
        self.seen: str = cursor["postBatchResumeToken"]["_data"]

    async def fetch(self, operation: Operation, seconds: float) -> None:
        """Wait so long for events. Raises CommandError."""
        cursor = self.cursor
        command = {
            "getMore": Int64(cursor.cursor_id),
            "collection": cursor.collection,
            "maxTimeMS": max(1, int(seconds * 1000)),
            **operation.session_fields(),
        }
        try:
            pool = cursor.replica_set.pool(cursor.host)
            raw = await pool.command(cursor.database, command, seconds=seconds + SLACK_SECONDS)
        except (OSError, EOFError) as error:
            cursor.replica_set.monitor.suspect(cursor.host)
            raise CommandError(6, "HostUnreachable", f"{cursor.host} is gone, and its change stream with it") from error
        reply = dict(raw.items())
        operation.note(reply)
        self._take(check(reply)["cursor"], "nextBatch")

    async def catch_up(self, operation: Operation, token: str) -> None:
        """Let an idle shard write a note after that event, as it does by itself every 10 s: so it can tell further."""
        if self.seen > token:
            return
        later = _next(_moment(token))
        note = {"appendOplogNote": 1, "maxClusterTime": later, "data": {"msg": "noop"}, "writeConcern": MAJORITY}
        if operation.clock.latest is not None:
            note["$clusterTime"] = operation.clock.latest
        with contextlib.suppress(CommandError):  # its own note will come
            await self.cursor.replica_set.run("admin", note, retry=False, seconds=AWAIT_SECONDS)


async def change_stream(operation: Operation) -> Reply:
    """Answer an `aggregate` of a database that begins with `$changeStream`."""
    stage, *stages = operation.arguments["pipeline"]
    options = dict(stage["$changeStream"])
    resumed = options.pop("resumeAfter", None)
    position = resumed or options.pop("startAfter", None) or {}
    if resumed and str(resumed.get("_data")).endswith(_INVALIDATE):
        raise CommandError(
            260,
            "InvalidResumeToken",
            "Attempting to resume a change stream using 'resumeAfter' is not allowed from an invalidate notification.",
        )
    start = options.pop("startAtOperationTime", None)
    with _resumable():
        if start is None:
            start = await _now(operation)
        stream = ChangeStream([{"$changeStream": options}, *stages], position.get("_data", ""), start)
        await stream.open(operation)
        return operation.router.cursors.open_stream(operation, stream, f"{operation.database}.$cmd.aggregate")


async def _now(operation: Operation) -> Timestamp:
    """The first moment after all that shards have done."""
    for replica_set in list((await operation.catalog.load_shards()).values()):
        await operation.send(replica_set, {"ping": 1})
    assert operation.clock.latest is not None  # noqa: S101 - shards have answered
    return _next(operation.clock.latest["clusterTime"])


def _next(moment: Timestamp) -> Timestamp:
    return Timestamp(moment.time, moment.inc + 1)


@contextlib.contextmanager
def _resumable() -> Iterator[None]:
    """Label errors after which the driver may go on with a new stream."""
    try:
        yield
    except CommandError as error:
        if error.code in _RESUMABLE_CODES:
            error.reply["errorLabels"] = sorted({*error.reply.get("errorLabels", []), _RESUMABLE})
        raise


def _moment(token: str) -> Timestamp:
    """A resume token's cluster time. Raises CommandError 260."""
    seconds, number = _parse(token).group(1, 2)
    return Timestamp(int(seconds, 16), int(number, 16))


def _parse(token: str) -> re.Match[str]:
    found = _TOKEN.fullmatch(token)
    if found is None:
        raise CommandError(260, "InvalidResumeToken", f"Invalid resume token: {token:.100}")
    return found

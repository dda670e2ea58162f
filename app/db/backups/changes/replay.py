"""Applies archived changes to the loaded collections of a full backup, each exactly once.

Changes are written in transactions together with how far they have come, so that an interrupted replay goes on there.

A transaction over several shards is reported by each of them at a time of its own, in any order, and perhaps on the
other side of the second that is wanted, or of the full backup's moment. So a transaction is applied as a whole if any
part of it belongs to the restored time; and its parts may be there already, or meet a film that has moved.
"""

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any, cast

import bson
from bson import CodecOptions, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection

from app.db.backups.changes.chain import moment
from app.db.backups.changes.cover import STRAGGLERS_S, Cover
from app.db.backups.changes.events import DoesNotFit, exact, has_key, updated
from app.db.backups.checksums import split
from app.db.backups.errors import RestoreFailed
from app.db.core import Row, create_collections, get_database, in_transaction, time_limit

# Of one transaction.
MAX_EVENTS, MAX_BYTES = 1000, 4 * 2**20
TRANSACTION_TIMEOUT_S = 120.0

Place = tuple[str, bytes]  # the collection's name, and the `_id` as BSON


def replay(
    cover: Cover,
    marker: Collection[Row],
    step: str,
    target: Callable[[str], str | None],
    done: Callable[[int], None] = lambda _: None,
) -> None:
    """Apply a cover's events to the collections `target(name)`; None leaves out a collection.

    The document in `marker` gets the `step` and, as `applied`, the last event's resume token; it begins after that.
    `done` is called with the number of events of each transaction. Raises RestoreFailed when an event doesn't fit;
    Damaged, WrongKey, BackupError; the driver's errors.
    """
    row = marker.find_one() or {}
    batch = _Batch(marker, step, target, done)
    selection = _Selection(cover.since, cover.until, str(row.get("applied", "")))

    def take(event: RawBSONDocument) -> None:
        if selection.wants(event):
            batch.add(event)

    for one in cover.slices:
        if one.token > selection.applied or selection.may_be_open(one.end):
            cover.read(one, take)
    batch.flush()


class _Selection:
    """Which events belong to what is restored. Whole transactions do."""

    def __init__(self, since: Timestamp, until: Timestamp | None, applied: str) -> None:
        self._since, self._until, self.applied = since, until, applied
        self._open: set[bytes] = set()

    def may_be_open(self, time: Timestamp) -> bool:
        """Whether a transaction's other parts may come after the restored time."""
        return self._until is not None and time.time >= self._until.time - STRAGGLERS_S

    def wants(self, event: RawBSONDocument) -> bool:
        time: Timestamp = event["clusterTime"]
        if time <= self._since:
            return False
        transaction = _transaction(event)
        if self._until is None or time <= self._until:
            if transaction and self.may_be_open(time):
                self._open.add(transaction)
        elif transaction not in self._open:
            return False
        return bool(event["_id"]["_data"] > self.applied)


def _transaction(event: RawBSONDocument) -> bytes:
    """Identifies the transaction that an event is of; empty if it is of none."""
    if "txnNumber" not in event:
        return b""
    return bson.encode({"number": event["txnNumber"], "session": event["lsid"]}, codec_options=_RAW)


_RAW = CodecOptions(RawBSONDocument)


class _Batch:
    """Events that are applied together: read what they change, change it here, and write it."""

    def __init__(
        self,
        marker: Collection[Row],
        step: str,
        target: Callable[[str], str | None],
        done: Callable[[int], None],
    ) -> None:
        self._marker, self._step, self._target, self._done = marker, step, target, done
        self._events: list[RawBSONDocument] = []
        self._size = 0

    def add(self, event: RawBSONDocument) -> None:
        self._events.append(event)
        self._size += len(event.raw)
        if len(self._events) >= MAX_EVENTS or self._size >= MAX_BYTES:
            self.flush()

    def flush(self) -> None:
        if not self._events:
            return
        create_collections({name for event in self._events if (name := self._target(event["ns"]["coll"]))})
        with time_limit(TRANSACTION_TIMEOUT_S):
            in_transaction(self._write)
        self._done(len(self._events))
        self._events, self._size = [], 0

    def _write(self, session: ClientSession) -> None:
        documents = self._read(session)
        before = dict(documents)
        for event in self._events:
            name = self._target(event["ns"]["coll"])
            if name is not None:
                place = name, _identity(event["documentKey"]["_id"])
                documents[place] = _after(event, documents.get(place))
        changed = {place: document for place, document in documents.items() if document is not before.get(place)}
        for name in sorted({name for name, _ in changed}):
            collection = get_database()[name]
            identities = [_value(identity) for at, identity in changed if at == name and (at, identity) in before]
            if identities:
                collection.delete_many({"_id": {"$in": identities}}, session=session)
            new = [document for (at, _), document in changed.items() if at == name and document is not None]
            if new:
                collection.insert_many(new, session=session)
        change = {"step": self._step, "applied": self._events[-1]["_id"]["_data"]}
        self._marker.update_one({}, {"$set": change}, session=session)

    def _read(self, session: ClientSession) -> dict[Place, RawBSONDocument | None]:
        """The documents that there are of those that the events are about."""
        wanted: dict[str, dict[bytes, Any]] = {}
        for event in self._events:
            if (name := self._target(event["ns"]["coll"])) is not None:
                identity = event["documentKey"]["_id"]
                wanted.setdefault(name, {})[_identity(identity)] = identity
        found: dict[Place, RawBSONDocument | None] = {}
        for name, identities in wanted.items():
            query = {"_id": {"$in": list(identities.values())}}
            with closing(get_database()[name].find_raw_batches(query, session=session)) as batches:
                for batch in cast(Iterable[bytes], batches):  # PyMongo's types say documents
                    for document in map(exact, split(memoryview(batch))):
                        found[name, _identity(document["_id"])] = document
        return found


def _identity(value: Any) -> bytes:
    return bson.encode({"": value}, codec_options=_RAW)


def _value(identity: bytes) -> Any:
    return bson.decode(identity, codec_options=_RAW)[""]


def _after(event: RawBSONDocument, now: RawBSONDocument | None) -> RawBSONDocument | None:
    """A document after an event; None if there is none. Raises RestoreFailed."""
    kind, key = event["operationType"], event["documentKey"]
    if kind == "insert":
        # If a film has moved here, its deletion on the other shard may be still to come.
        return exact(event["fullDocument"].raw)
    fits = now is not None and has_key(now, key)
    if kind == "delete":
        return None if fits else now
    if not fits and "txnNumber" in event:
        return now  # it has been changed, moved or deleted by a later part of the same transaction
    if kind == "replace":
        return exact(event["fullDocument"].raw)
    return _updated(event, now)


def _updated(event: RawBSONDocument, now: RawBSONDocument | None) -> RawBSONDocument:
    try:
        if now is None:
            raise DoesNotFit("it isn't there")
        return updated(now, event["updateDescription"])
    except DoesNotFit as error:
        if now is not None and "txnNumber" in event:
            return now
        raise RestoreFailed(
            f"a change at {moment(event['_id']['_data']).as_datetime():%Y-%m-%dT%H:%M:%SZ} doesn't fit the document "
            f"{event['documentKey']['_id']!r:.80} of {event['ns']['coll']}: {error}"
        ) from error

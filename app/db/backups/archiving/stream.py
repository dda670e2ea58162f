"""The changes of the library's collections as MongoDB reports them, across elections and restarts of the router."""

import logging
import time

from bson import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.change_stream import DatabaseChangeStream
from pymongo.errors import OperationFailure, PyMongoError

from app.db.backups.errors import BackupFailed
from app.db.backups.manifest import UNFINISHED
from app.db.backups.shapes import REPLACED, RESTORED
from app.db.core import get_database

log = logging.getLogger(__name__)

WAIT_S = 0.5  # for an event
PAUSE_S = 1.0  # after an error

CHANGES = frozenset({"insert", "update", "replace", "delete"})

_UNAUTHORIZED = 13
# InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost, BSONObjectTooLarge: trying again is in vain.
_LOST = frozenset({260, 280, 286, 10334})

_ASIDE = {"$regex": "^(" + "|".join(name.replace(".", r"\.") for name in (RESTORED, REPLACED)) + f"|{UNFINISHED}$)"}
# Collections beside the library's don't count, unless one is renamed into the library.
_PIPELINE = [{"$match": {"$or": [{"ns.coll": {"$not": _ASIDE}}, {"to.coll": {"$exists": True, "$not": _ASIDE}}]}}]


class Gap(Exception):
    """What follows can't be had as changes: the message says why."""


class Changes:
    """Reads a database's change stream. `token` is the resume token's `_data`: all changes until there have come.

    The servers are asked again after `wait` seconds without a change.
    """

    def __init__(self, token: str, wait: float) -> None:
        self.token = token
        self._wait = wait
        self._stream: DatabaseChangeStream[RawBSONDocument] | None = None

    def next(self) -> RawBSONDocument | None:
        """The next change; None if there is none for now, or the database doesn't answer.

        Raises Gap; BackupFailed when the database user may not read changes.
        """
        try:
            if self._stream is None:
                self._stream = self._open()
            event = self._stream.try_next()
            if event is not None:
                _check(event)
            if (token := self._stream.resume_token) is not None:
                self.token = str(token["_data"])
        except PyMongoError as error:
            self._failed(error)
            return None
        return event

    def _open(self) -> DatabaseChangeStream[RawBSONDocument]:
        raw = get_database().with_options(codec_options=CodecOptions(RawBSONDocument))
        after = {"_data": self.token} if self.token else None
        stream: DatabaseChangeStream[RawBSONDocument] = raw.watch(
            _PIPELINE, resume_after=after, max_await_time_ms=int(self._wait * 1000)
        )
        return stream

    def _failed(self, error: PyMongoError) -> None:
        self.close()
        code = error.code if isinstance(error, OperationFailure) else None
        if code in _LOST:
            raise Gap(f"the servers can't go on after the last change: {error}") from error
        if code == _UNAUTHORIZED:
            raise BackupFailed(f"the changes can't be read: {error}") from error
        log.warning("changes are read again from the last one: %s", error)
        time.sleep(PAUSE_S)  # the driver has waited for a server already; this only keeps errors from repeating at once

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def _check(event: RawBSONDocument) -> None:
    """Raises Gap for what isn't a document's change."""
    kind = event["operationType"]
    if kind not in CHANGES:
        name = (event.get("ns") or {}).get("coll", "")
        raise Gap(f"{kind} {name}".strip())

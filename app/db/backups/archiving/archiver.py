"""Archives changes as they happen: the newest chain goes on, or a new one begins, with a full backup."""

import fcntl
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bson import Timestamp
from pymongo.errors import PyMongoError

from app.db.backups import files
from app.db.backups.access import UNKNOWN, Access
from app.db.backups.archiving.interval import Interval
from app.db.backups.archiving.stream import WAIT_S, Changes, Gap
from app.db.backups.changes.chain import Slice, chains, complete_second, dump, json_name, moment
from app.db.backups.errors import BackupError, BackupFailed, Damaged
from app.db.backups.full import NEVER, Pace, take
from app.db.backups.ids import is_hourly
from app.db.backups.keys import PublicKeys
from app.db.backups.manifest import UNFINISHED, Manifest
from app.db.backups.stored import CHANGES, overview
from app.db.backups.stores import Store
from app.db.core import DatabaseError, driver_errors, get_database, time_limit

log = logging.getLogger(__name__)

SLICE_SECONDS = 300.0
MAX_WAIT_S = 5.0  # for a change
STOP_S = 15.0  # for the changes until it was told to stop; idle shards tell of theirs every 10 s
RETRY_S = 10.0  # after the store failed
FULL_RETRY_S = 60.0


@dataclass(frozen=True)
class State:
    """How far the archived changes reach. `gap` is (from, to, reason) until a full backup has closed it."""

    chain: str
    slice: int
    covered_until: datetime
    gap: tuple[datetime, datetime, str] | None

    def as_json(self) -> dict[str, Any]:
        gap = None
        if self.gap is not None:
            start, end, reason = self.gap
            gap = {"from": start.isoformat(), "to": end.isoformat(), "reason": reason}
        return {
            "chain": self.chain,
            "slice": self.slice,
            "covered_until": self.covered_until.isoformat(),
            "gap": gap,
            "updated": datetime.now(UTC).isoformat(timespec="seconds"),
        }


@driver_errors()
def archive(
    store: Store,
    keys: PublicKeys,
    lock: Path,
    stop: threading.Event,
    *,
    slice_seconds: float = SLICE_SECONDS,
    pace: Pace | None = None,
    access: Access = UNKNOWN,
    note: Callable[[State], None] = lambda _: None,
    backed_up: Callable[[Manifest], None] = lambda _: None,
) -> None:
    """Archive changes until `stop`, then the last slice. `note` is called with each state.

    A new chain begins when there is none to go on with: then a full backup is made at a `pace`, with `access` in its
    manifest, for `backed_up`; it stays as long as the first of a day. Raises BackupFailed when another process has the
    `lock` or writes to the same chain, or the user may not read changes; BackupError when the store can't be read;
    OSError when the lock can't be made.
    """
    with _locked(lock):
        archiver = _Archiver(store, keys, stop, slice_seconds, pace or Pace(), access, note, backed_up)
        try:
            archiver.run()
        finally:
            archiver.close()


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("ab") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupFailed(f"another process archives changes: it has {file}") from error
        yield


@dataclass
class _Archiver:
    store: Store
    keys: PublicKeys
    stop: threading.Event
    seconds: float
    pace: Pace
    access: Access
    note: Callable[[State], None]
    backed_up: Callable[[Manifest], None]

    def __post_init__(self) -> None:
        self._own = secrets.token_hex(3)  # in names of files, so that no other archiver writes to them
        # Asking twice a second would keep an idle cluster busy for nothing. A stop may take as much longer.
        self._wait = min(MAX_WAIT_S, max(WAIT_S, self.seconds / 60))
        self._changes = Changes("", self._wait)
        self._last: tuple[Slice, str] | None = None
        self._gap: tuple[datetime, datetime, str] | None = None
        self._full: threading.Thread | None = None
        self._wanted = NEVER  # the moment from which on a full backup closes the gap
        self._backing_up = False
        self._damage = ""  # why the newest chain can't go on
        # The thread of the full backup changes the last three, and says so.
        self._lock = threading.RLock()
        self._until: tuple[Timestamp, float] | None = None  # once it stops: the last moment, and how long to wait

    def run(self) -> None:
        try:
            self._resume()
        except Damaged as error:
            self._last, self._damage = None, str(error)
        while not self._done():
            try:
                if self._last is None or self._last[0].ended:
                    self._begin()
                else:
                    self._write_slice(self._last)
            except OSError as error:
                log.error("the changes can't be written, and are read again: %s", error.strerror or error)
                self._read_from(self._last)
                self.stop.wait(RETRY_S)

    def close(self) -> None:
        self.stop.set()
        self._changes.close()
        if self._full is not None:
            self._full.join()

    def _read_from(self, last: tuple[Slice, str] | None) -> None:
        self._changes.close()
        self._changes = Changes(last[0].token if last else "", self._wait)

    def _resume(self) -> None:
        """Go on with the newest chain of this database, unless it has ended. Raises Damaged, BackupError."""
        own = [chain for chain in chains(self.store) if chain.slice(chain.numbers[0]).database == get_database().name]
        if not own:
            return
        own.sort(key=lambda chain: chain.start)
        newest = own[-1]
        number = newest.numbers[-1]
        self._last = newest.slice(number), newest.checksum(number)
        if self._last[0].ended:
            return
        self._read_from(self._last)
        lasting = (one.manifest for one in overview(self.store) if one.manifest and not is_hourly(one.id))
        if not any(manifest.cluster_time >= newest.start for manifest in lasting):
            self._want(newest.start, _gap(own[-2].slice(own[-2].numbers[-1]), newest.start) if len(own) > 1 else None)
            self._back_up()
        self._say()

    def _begin(self) -> None:
        """Begin a new chain with an empty slice, and a full backup. Nothing happens while the database is away."""
        self._read_from(None)
        try:
            event = self._changes.next()
        except Gap:
            return
        if not (token := self._changes.token):
            return
        end = moment(token)
        # After a token that is no event's, changes at its very moment are still to come.
        start = end if event is not None else Timestamp(end.time, max(0, end.inc - 1))
        gap = None
        if self._last is not None:
            gap = _gap(self._last[0], start)
        elif self._damage:
            gap = start.as_datetime(), start.as_datetime(), self._damage
        if gap is not None:
            log.error("changes since %s are missing (%s): a new chain begins, with a full backup", *gap[::2])
        self._want(start, gap)
        name = f"{CHANGES}{start.as_datetime():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self._publish(Slice(name, 0, get_database().name, start, end, token, previous=""))
        self._back_up()

    def _write_slice(self, last: tuple[Slice, str]) -> None:
        """Archive the changes of an interval. Raises OSError, BackupFailed."""
        content = Interval(self._changes, self.seconds, self._wait, self._done)
        before, previous = last
        one = replace(before, number=before.number + 1, start=before.end, previous=previous, **_EMPTY)
        first = content.next()
        if first is not None:
            file = f"{one.number:08}-{self._own}.bson.zst.age"
            with self.store.writer(one.chain, file) as opened:
                written = files.write(content.all(first), opened, self.keys)
            one = replace(one, file=file, size=written.size, sha256=written.sha256)
            one = replace(one, events=content.events, bytes=content.bytes)
        token = self._changes.token
        one = replace(one, token=token, end=moment(token), ended=content.gap)
        if one.events or one.ended or one.end > before.end:
            self._publish(one)

    def _publish(self, one: Slice) -> None:
        """Raises OSError; BackupFailed when another archiver has written this slice."""
        try:
            with self.store.reader(one.chain, json_name(one.number)):
                raise BackupFailed(f"another process archives changes: it has written {one.chain}/{one.name}")
        except FileNotFoundError:
            pass
        content, checksum = dump(one)
        self.store.publish(one.chain, one.name, content)
        self._last = one, checksum
        self._say()

    def _say(self) -> None:
        with self._lock:
            if self._last is not None:
                one, _ = self._last
                self.note(State(one.chain, one.number, complete_second(one.end), self._gap))

    def _done(self) -> bool:
        """Whether it was told to stop, and has all changes until then."""
        if not self.stop.is_set():
            return False
        if self._until is None:
            self._until = _now(), time.monotonic() + STOP_S
        moment_to_reach, expiry = self._until
        return time.monotonic() > expiry or bool(self._changes.token and moment(self._changes.token) >= moment_to_reach)

    def _want(self, start: Timestamp, gap: tuple[datetime, datetime, str] | None) -> None:
        """A full backup of this moment or later closes the gap; one that is being made may be of an earlier one."""
        with self._lock:
            self._wanted, self._gap = start, gap

    def _back_up(self) -> None:
        """Make full backups, meanwhile, until there is one of the wanted moment or later that stays."""

        def make() -> None:
            while not self.stop.is_set():
                try:
                    made = take(
                        self.store,
                        self.keys,
                        pace=self.pace,
                        access=self.access,
                        not_before=self._wanted,
                        lasting=True,  # what comes after the gap can be restored as long as it stays
                        stop=self.stop,
                    )
                except (BackupError, DatabaseError) as error:
                    log.error("the full backup of a new chain failed: %s", error)
                    self.stop.wait(FULL_RETRY_S)
                    continue
                self.backed_up(made)
                with self._lock:
                    if made.cluster_time >= self._wanted and not is_hourly(made.id):
                        self._gap, self._backing_up = None, False
                        self._say()
                        return

        with self._lock:
            if not self._backing_up:
                self._backing_up = True
                self._full = threading.Thread(target=make)
                self._full.start()


_EMPTY: dict[str, Any] = {"file": "", "events": 0, "bytes": 0, "size": 0, "sha256": "", "ended": ""}


def _gap(last: Slice, start: Timestamp) -> tuple[datetime, datetime, str]:
    return complete_second(last.end), start.as_datetime(), last.ended or "the chain before was given up"


def _now() -> Timestamp:
    """The newest cluster time that the database knows of; 0 if it doesn't answer."""
    with suppress(PyMongoError), time_limit(STOP_S), get_database().client.start_session() as session:
        get_database()[UNFINISHED].find_one({}, session=session)
        if session.cluster_time is not None:
            now: Timestamp = session.cluster_time["clusterTime"]
            return now
    return Timestamp(0, 0)

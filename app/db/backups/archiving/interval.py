"""The changes of one slice."""

import time
from collections.abc import Callable, Iterator

from bson.raw_bson import RawBSONDocument

from app.db.backups.archiving.stream import Changes, Gap

MAX_SLICE_BYTES = 256 * 2**20  # of BSON


class Interval:
    """The changes of so many seconds, until the slice is large, the archiver is `done`, or there is a gap.

    `wait` is how many seconds `changes` wait for one: the last wait ends with the interval.
    """

    def __init__(self, changes: Changes, seconds: float, wait: float, done: Callable[[], bool]) -> None:
        self._changes, self._done = changes, done
        self._expiry = time.monotonic() + max(seconds - wait, seconds / 2)
        self.events = self.bytes = 0
        self.gap = ""

    def next(self) -> RawBSONDocument | None:
        """The next change; None at the end. Raises BackupFailed."""
        while not self._done() and time.monotonic() < self._expiry and self.bytes < MAX_SLICE_BYTES:
            try:
                event = self._changes.next()
            except Gap as gap:
                self.gap = str(gap)
                return None
            if event is not None:
                self.events += 1
                self.bytes += len(event.raw)
                return event
        return None

    def all(self, first: RawBSONDocument) -> Iterator[bytes]:
        """The first change and all that follow."""
        event: RawBSONDocument | None = first
        while event is not None:
            yield bytes(event.raw)
            event = self.next()

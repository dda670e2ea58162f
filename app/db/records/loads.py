"""The value types of a bulk load, shared by the readers that feed it and the code that writes it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from app.db.core import DatabaseError


@dataclass(frozen=True)
class Malformed:
    """What a source yields in place of a document that it couldn't make sense of: its text, as it stands there."""

    text: str
    reason: str


Numbered = tuple[int, Any]
"""A document (or Malformed) and where it stands in its source: line of a file, or position."""


@dataclass(frozen=True)
class Batch:
    """Some documents, and how much of their source had been read after the last: bytes of a file, or documents."""

    documents: list[Numbered]
    position: int


@dataclass(frozen=True)
class Counts:
    """What became of the documents of one load."""

    inserted: int = 0
    existing: int = 0
    rejected: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    @property
    def total(self) -> int:
        return self.inserted + self.existing + self.rejected


@dataclass(frozen=True)
class Reject:
    """One reason why a document was not taken. `field` is its name in the database; `value` what was there.

    `document` is all of it (or Malformed), one and the same object in all its reasons.
    """

    line: int
    field: str
    value: Any
    reason: str
    document: Any = dataclasses.field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Settled:
    """How far a load has come: what became of the first `documents` of its source, and the position behind them.

    A load that begins here leaves them out. `documents` may be more than `counts` has, which then begins later.
    """

    documents: int = 0
    position: int = 0
    counts: Counts = Counts()


START = Settled()


class LoadStopped(DatabaseError):
    """A load ended early. `counts` is what had been acknowledged by then, `settled` from where another can go on."""

    def __init__(self, counts: Counts, settled: Settled, reason: str) -> None:
        self.counts = counts
        self.settled = settled
        super().__init__(reason)


class Rejected(DatabaseError):
    """A strict load met a document that can't be taken."""

    def __init__(self, reject: Reject) -> None:
        self.reject = reject
        super().__init__(f"line {reject.line}: {reject.field} {reject.reason}".replace(":  ", ": "))

"""The value types of a bulk load, shared by the readers that feed it and the code that writes it."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from app.db.core import DatabaseError


@dataclass(frozen=True)
class Malformed:
    """A record that a source couldn't parse: its original text."""

    text: str
    reason: str


Numbered = tuple[int, Any]
"""A document (or Malformed) and its place in the source: line of a file, or position."""


@dataclass(frozen=True)
class Batch:
    """Some documents, and how much of the source has been read after the last one: bytes or documents."""

    documents: list[Numbered]
    position: int


@dataclass(frozen=True)
class Counts:
    """The result of a load in numbers."""

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
    """One reason why a document was rejected. `field` is the name in the database, `value` the original value.

    `document` is the complete document (or Malformed), the same object for all its reasons.
    """

    line: int
    field: str
    value: Any
    reason: str
    document: Any = dataclasses.field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Settled:
    """A load's progress: the results for the first `documents` of its source, and the position after them.

    A load that begins here skips them. `documents` may exceed the sum of `counts`.
    """

    documents: int = 0
    position: int = 0
    counts: Counts = Counts()


START = Settled()


class LoadStopped(DatabaseError):
    """A load ended early. `counts` is what had been acknowledged, `settled` where another load can continue."""

    def __init__(self, counts: Counts, settled: Settled, reason: str) -> None:
        self.counts = counts
        self.settled = settled
        super().__init__(reason)


class Rejected(DatabaseError):
    """A strict load met a document that must be rejected."""

    def __init__(self, reject: Reject) -> None:
        self.reject = reject
        super().__init__(f"line {reject.line}: {reject.field} {reject.reason}".replace(":  ", ": "))

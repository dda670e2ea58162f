"""Records rejected by imports of uploads, stored in the database for correction.

import_rejects: {job, n: 1, 2, ..., at, line, text: the original record, reasons: [{field, value, reason}]}
"""

from collections.abc import Iterator
from typing import Any

from app.db.core import Row, driver_errors, get_collection, now
from app.db.records import Reject
from app.db.transfer.reject_files import REASONS, csv_line, heading_line, reason_line, shown, written

NAME = "import_rejects"
PAGE = 100  # rejects read at a time: up to as many MB


class StoredRejects:
    """Writes a job's rejects to the collection (see `reject_files.Rejects`).

    A continued job has already rejected `number` records of a file with this `heading`.
    """

    def __init__(self, job_id: str, number: int, heading: list[str] | None) -> None:
        self.heading = heading
        self._job = job_id
        self._number = number
        self._rows: list[Row] = []
        self._last: Any = None
        with driver_errors():  # rejects after that place will come again
            get_collection(NAME).delete_many({"job": job_id, "n": {"$gt": number}})

    def add(self, reject: Reject, heading: list[str] | None) -> None:
        """Add a reason and, with a record's first, the record."""
        self.heading = heading
        if reject.document is not self._last:
            self._last = reject.document
            self._number += 1
            text = written(reject.document, heading).encode("utf-8", "surrogateescape")
            row = {"job": self._job, "n": self._number, "at": now(), "line": reject.line, "text": text, "reasons": []}
            self._rows.append(row)
        reason = {"field": reject.field, "value": shown(reject.value), "reason": reject.reason}
        self._rows[-1]["reasons"].append(reason)

    @driver_errors()
    def flush(self) -> None:
        """Write what was added."""
        if self._rows:
            get_collection(NAME).insert_many(self._rows)
            self._rows = []


@driver_errors()
def first_rejects(job_id: str, limit: int) -> list[Row]:
    """A job's first rejects: {n, line, reasons: [{field, value, reason}]}."""
    fields = {"_id": 0, "n": 1, "line": 1, "reasons": 1}
    return list(get_collection(NAME).find({"job": job_id}, fields).sort("n").limit(limit))


def rejects_file(job: Row) -> Iterator[bytes]:
    """All rejected records of a job, as a file to correct and import again."""
    yield heading_line(job["report"]["heading"]).encode()
    for row in _rejects(job, {"n": 1, "text": 1}):
        yield row["text"]


def reasons_file(job: Row) -> Iterator[bytes]:
    """The reasons, as a CSV file."""
    yield csv_line(REASONS).encode()
    for row in _rejects(job, {"n": 1, "line": 1, "reasons": 1}):
        for reason in row["reasons"]:
            yield reason_line(row["n"], row["line"], reason["field"], reason["value"], reason["reason"]).encode()


def _rejects(job: Row, fields: Row) -> Iterator[Row]:
    number = 0
    while rows := _page(job["_id"], number, fields):
        yield from rows
        number = rows[-1]["n"]


@driver_errors()
def _page(job_id: str, number: int, fields: Row) -> list[Row]:
    query = {"job": job_id, "n": {"$gt": number}}
    return list(get_collection(NAME).find(query, fields).sort("n").limit(PAGE))

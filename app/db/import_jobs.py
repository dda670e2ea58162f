"""Importing a file that was uploaded, as a job that any worker goes on with, and what it refused.

import_rejects: {job, n: 1, 2, ..., at, line, text: the record as it came, reasons: [{field, value, reason}]}
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from pymongo import IndexModel

from app.db import imports, uploads
from app.db.bulk import Counts, LoadStopped, Reject, Settled
from app.db.connection import Row, driver_errors, get_collection
from app.db.errors import BadQuery, DatabaseUnavailable
from app.db.models import now
from app.db.rejects import REASONS, csv_line, heading_line, reason_line, shown, written

REJECTS = "import_rejects"
KEEP_REJECTS = timedelta(days=7)  # time to correct them
REPORT_EVERY_S = 1.0
PAGE = 100  # refused records read at a time: as many MB at worst

INDEXES: dict[str, list[IndexModel]] = {
    REJECTS: [
        IndexModel([("job", 1), ("n", 1)], unique=True),
        IndexModel("at", expireAfterSeconds=int(KEEP_REJECTS.total_seconds())),
    ]
}


def run_upload(job: Row, report: Callable[[int, Row], None]) -> Row:
    """Import the upload `job["file"]` into `job["collection"]`, from where `job["report"]` says that it stood.

    `report` is told every second how many bytes are done and {inserted, existing, rejected, documents, heading}, the
    same as is returned at the end. What it raises ends the import, after the batches under way.
    Raises BadQuery with the reason when the file can't be read further or, if `job["strict"]`, holds a bad record.
    """
    kept = _Kept(job)
    begin = _settled(job)
    settled, told = begin, time.monotonic()

    def progress(now_settled: Settled) -> None:
        nonlocal settled, told
        settled = now_settled
        kept.flush()
        if time.monotonic() - told >= REPORT_EVERY_S:
            told = time.monotonic()
            report(settled.position, kept.report(settled))

    try:
        with uploads.opened(job["file"]) as stream:
            imports.import_stream(
                stream,
                job["name"],
                job["collection"],
                begin=begin,
                strict=job["strict"],
                rejects=kept,
                on_progress=progress,
            )
    except LoadStopped as error:
        if isinstance(error.__cause__, DatabaseUnavailable):
            raise error.__cause__ from error
        kept.flush()
        report(settled.position, kept.report(settled, error.counts))
        raise BadQuery(f"{error}") from error
    uploads.remove(job["file"])
    return kept.report(settled)


class _Kept:
    """What an import refuses, on its way to the collection."""

    def __init__(self, job: Row) -> None:
        self._job: str = job["_id"]
        before = job.get("report") or {}
        self._heading: list[str] | None = before.get("heading")
        self._number: int = before.get("rejected", 0)
        self._rows: list[Row] = []
        self._last: Any = None
        with driver_errors():  # what came after the last report will come again
            get_collection(REJECTS).delete_many({"job": self._job, "n": {"$gt": self._number}})

    def add(self, reject: Reject, heading: list[str] | None) -> None:
        self._heading = heading
        if reject.document is not self._last:
            self._last = reject.document
            self._number += 1
            text = written(reject.document, heading).encode("utf-8", "surrogateescape")
            self._rows.append(
                {"job": self._job, "n": self._number, "at": now(), "line": reject.line, "text": text, "reasons": []}
            )
        reason = {"field": reject.field, "value": shown(reject.value), "reason": reject.reason}
        self._rows[-1]["reasons"].append(reason)

    @driver_errors()
    def flush(self) -> None:
        if self._rows:
            get_collection(REJECTS).insert_many(self._rows)
            self._rows = []

    def report(self, settled: Settled, counts: Counts | None = None) -> Row:
        counts = counts or settled.counts
        return {
            "inserted": counts.inserted,
            "existing": counts.existing,
            "rejected": counts.rejected,
            "documents": settled.documents,
            "heading": self._heading,
        }


def _settled(job: Row) -> Settled:
    report = job.get("report")
    if not report:
        return Settled()
    counts = Counts(report["inserted"], report["existing"], report["rejected"])
    return Settled(report["documents"], job["done"], counts)


@driver_errors()
def first_rejects(job_id: str, limit: int) -> list[Row]:
    """The first records that a job refused: {n, line, reasons: [{field, value, reason}]}."""
    fields = {"_id": 0, "n": 1, "line": 1, "reasons": 1}
    return list(get_collection(REJECTS).find({"job": job_id}, fields).sort("n").limit(limit))


def rejects_file(job: Row) -> Iterator[bytes]:
    """All records that a job refused, as a file to correct and import again."""
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
    return list(get_collection(REJECTS).find(query, fields).sort("n").limit(PAGE))

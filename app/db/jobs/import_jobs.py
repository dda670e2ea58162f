"""Importing an uploaded file as a job that any worker can continue."""

import time
from collections.abc import Callable

from app.db.core import BadQuery, DatabaseUnavailable, JobCancelled, JobStopped, Row
from app.db.records import START, Counts, LoadStopped, Settled
from app.db.transfer import StoredRejects, imports, uploads

REPORT_EVERY_S = 1.0


def run_upload(job: Row, report: Callable[[int, Row], None]) -> Row:
    """Import the upload `job["file"]` into `job["collection"]`, continuing at `job["report"]`.

    `report` is called every second with the bytes done and {inserted, existing, rejected, documents, heading}, which
    is also returned at the end. If it raises, the import ends after the batches under way.
    Raises BadQuery with the reason when the file can't be read further or, if `job["strict"]`, holds a bad record.
    """
    before = job.get("report") or {}
    begin = _settled(before, job["done"])
    settled, told = begin, time.monotonic()
    kept = StoredRejects(job["_id"], begin.counts.rejected, before.get("heading"))

    def progress(now_settled: Settled) -> None:
        nonlocal settled, told
        settled = now_settled
        kept.flush()
        if time.monotonic() - told >= REPORT_EVERY_S:
            told = time.monotonic()
            report(settled.position, _report(settled.counts, settled, kept))

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
        cause = error.__cause__
        if isinstance(cause, DatabaseUnavailable | JobStopped) and not isinstance(cause, JobCancelled):
            raise cause from error  # another worker continues from the last report
        # Nobody continues: everything inserted counts, including batches that were under way.
        kept.flush()
        report(settled.position, _report(error.counts, settled, kept))
        raise BadQuery(f"{error}") from error
    return _report(settled.counts, settled, kept)


def _report(counts: Counts, settled: Settled, kept: StoredRejects) -> Row:
    return {
        "inserted": counts.inserted,
        "existing": counts.existing,
        "rejected": counts.rejected,
        "documents": settled.documents,
        "heading": kept.heading,
    }


def _settled(report: Row, done: int) -> Settled:
    if not report:
        return START
    return Settled(report["documents"], done, Counts(report["inserted"], report["existing"], report["rejected"]))

"""Runs the jobs that a worker takes."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from app.db.core import DatabaseError, DatabaseUnavailable, JobCancelled, JobStopped, Row, driver_errors
from app.db.jobs import bulk_steps, bulk_undo, import_jobs, queue
from app.db.jobs.queue import CANCELLED, DONE, FAILED, Lease
from app.db.transfer import uploads

_STEPS = {"edit": bulk_steps.edit, "delete": bulk_steps.delete, "undo": bulk_undo.undo}
_log = logging.getLogger(__name__)


class _Leaving(JobStopped):
    """The worker's process is shutting down."""


def run_next(leaving: Callable[[], bool] = lambda: False) -> bool:
    """Take a job and run it until it ends or `leaving` returns True; returns whether there was one.

    If there is none, old uploads are removed.

    Raises DatabaseUnavailable; any other error ends the job and is stored with it.
    """
    taken = queue.take()
    if taken is None:
        uploads.remove_old()
        return False
    job, lease = taken
    try:
        _run(job, lease, leaving)
    except JobCancelled:
        _finish(job, lease, CANCELLED)
    except _Leaving:
        queue.release(lease)
    except JobStopped:
        _log.warning("job %s was taken over by another worker", lease.job_id)
    except DatabaseUnavailable:
        raise  # the lease expires, and the job continues when the database is back
    except DatabaseError as error:
        _finish(job, lease, FAILED, str(error))
    except Exception:
        _log.exception("job %s failed", lease.job_id)
        _finish(job, lease, FAILED, "Something went wrong on our side. It has been noted.")
    return True


def _run(job: Row, lease: Lease, leaving: Callable[[], bool]) -> None:
    def check(job: Row) -> None:
        if job["cancel"]:
            raise JobCancelled
        if leaving():
            raise _Leaving

    check(job)
    if job["attempts"] > queue.MAX_ATTEMPTS:
        _finish(job, lease, FAILED, "It was started several times without progress.")
        return
    if job["kind"] == "import":
        _import(job, lease, check)
    else:
        for after in _STEPS[job["kind"]](job, lease):
            check(after)
    _finish(job, lease, DONE)


def _finish(job: Row, lease: Lease, state: str, reason: str | None = None) -> None:
    """End the job, and only then delete its upload, which another worker might have needed to continue."""
    queue.finish(lease, state, reason)
    if job["kind"] == "import":
        uploads.remove(job["file"])


def _import(job: Row, lease: Lease, check: Callable[[Row], None]) -> None:
    """An import has no steps: it reports its own progress, except for the final ranking."""

    @driver_errors()
    def note(done: int, progress: Row) -> Row:
        values = {"done": done, "report": progress, "changed": progress["inserted"], "failed": progress["rejected"]}
        got_on = {"attempts": 0} if done > job["done"] else {}
        return queue.advance(lease, values=values | got_on)

    with _renewed(lease):
        report = import_jobs.run_upload(job, lambda done, progress: check(note(done, progress)))
    note(job["total"], report)


@contextmanager
def _renewed(lease: Lease) -> Iterator[None]:
    """Renew the lease in a separate thread while the work inside goes on."""
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(queue.LEASE.total_seconds() / 4):
            with suppress(DatabaseError):  # the next renewal will do
                queue.renew(lease)

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

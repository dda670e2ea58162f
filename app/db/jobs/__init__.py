"""Background jobs: the queue, the worker that runs them, and each kind of job.

Each kind of job has its own module here.
"""

from app.db.jobs import bulk_edit, queue
from app.db.jobs.bulk_edit import Change, Selection
from app.db.jobs.runner import run_next

__all__ = ["Change", "Selection", "bulk_edit", "queue", "run_next"]

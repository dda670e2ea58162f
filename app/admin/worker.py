"""The job worker: a thread in every process of the app, so that there is nothing else to deploy.

All workers share one queue in the database (`app.db.jobs`); if one dies, another takes over its job. The thread starts
with the app, so the server must create the app in the process that serves it (gunicorn without --preload).
"""

from __future__ import annotations

import atexit
import threading

from flask import Flask, current_app

from app.db.core import DatabaseUnavailable
from app.db.jobs import run_next
from app.settings import SettingError, setting

POLL_S = 2.0  # the longest wait for a job created in another process
PAUSE_S = 60.0  # after an unexpected error, so that it is logged once a minute
STOP_S = 5.0  # a step takes less; systemd waits longer

_EXTENSION = "job_worker"


class Worker:
    """A thread that runs one job after the other."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._wake = threading.Event()
        self._leaving = threading.Event()
        # A daemon, so that an unresponsive database doesn't keep the process from exiting.
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Start. When the process exits, the current job is returned to the queue."""
        self._thread.start()
        atexit.register(self.stop)

    def wake(self) -> None:
        """Check for jobs now."""
        self._wake.set()

    def stop(self) -> None:
        """Return the current job to the queue after its current step, and stop."""
        self._leaving.set()
        self._wake.set()
        self._thread.join(STOP_S)
        atexit.unregister(self.stop)

    def _work(self) -> None:
        while not self._leaving.is_set():
            self._wake.clear()  # before checking: a job created after this wakes it again
            pause = self._pause_after_work()
            if pause:
                self._wake.wait(pause)

    def _pause_after_work(self) -> float:
        """Run the next job, if there is one; returns the seconds to pause."""
        try:
            return 0 if run_next(self._leaving.is_set) else POLL_S
        except DatabaseUnavailable:
            return POLL_S  # pages tell the users; here just try again
        except Exception:
            self._app.logger.exception("the job worker failed")
            return PAUSE_S


def init_app(app: Flask) -> None:
    """Start the app's worker, unless FILM_LIBRARY_JOB_WORKER is 0. Raises SettingError unless it is 0 or 1."""
    wanted = setting("FILM_LIBRARY_JOB_WORKER", "1")
    if wanted not in {"0", "1"}:
        raise SettingError(f"FILM_LIBRARY_JOB_WORKER is {wanted!r}; allowed: 0, 1")
    if wanted == "1":
        app.extensions[_EXTENSION] = Worker(app)
        app.extensions[_EXTENSION].start()


def wake() -> None:
    """Wake this process's worker, if there is one."""
    if worker := current_app.extensions.get(_EXTENSION):
        worker.wake()

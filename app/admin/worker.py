"""The thread that works at jobs: one in every process of the app, so that there is nothing more to deploy.

All of them take from one queue in the database (`app.db.jobs`), and one that dies is made good for by another. It
starts with the app: a server must make the app in the process that serves it (gunicorn without --preload).
"""

from __future__ import annotations

import atexit
import threading

from flask import Flask, current_app

from app.db.core import DatabaseUnavailable
from app.db.jobs import run_next
from app.settings import SettingError, setting

POLL_S = 2.0  # how long a job made in another process may wait here
PAUSE_S = 60.0  # after an error that nobody expected, which the log then has once a minute
STOP_S = 5.0  # a step takes less; systemd gives the process more

_EXTENSION = "job_worker"


class Worker:
    """A thread that takes one job after the other."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._wake = threading.Event()
        self._leaving = threading.Event()
        # A daemon: should the database hang, it doesn't keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)

    def start(self) -> None:
        """Begin; at the end of the process the job in hand is given back."""
        self._thread.start()
        atexit.register(self.stop)

    def wake(self) -> None:
        """Look for jobs now."""
        self._wake.set()

    def stop(self) -> None:
        """Give the job in hand back after its present step, and end."""
        self._leaving.set()
        self._wake.set()
        self._thread.join(STOP_S)
        atexit.unregister(self.stop)

    def _work(self) -> None:
        while not self._leaving.is_set():
            self._wake.clear()  # before looking: a job made after this wakes it again
            pause = self._pause_after_work()
            if pause:
                self._wake.wait(pause)

    def _pause_after_work(self) -> float:
        """Do the next job, if there is one; returns for how many seconds there is nothing to do."""
        try:
            return 0 if run_next(self._leaving.is_set) else POLL_S
        except DatabaseUnavailable:
            return POLL_S  # the pages say so; here there is nothing to do but to ask again
        except Exception:
            self._app.logger.exception("the job worker failed")
            return PAUSE_S


def init_app(app: Flask) -> None:
    """Start the app's worker, unless FILM_LIBRARY_JOB_WORKER is 0. Raises SettingError for what is neither 0 nor 1."""
    wanted = setting("FILM_LIBRARY_JOB_WORKER", "1")
    if wanted not in {"0", "1"}:
        raise SettingError(f"FILM_LIBRARY_JOB_WORKER is {wanted!r}; allowed: 0, 1")
    if wanted == "1":
        app.extensions[_EXTENSION] = Worker(app)
        app.extensions[_EXTENSION].start()


def wake() -> None:
    """Tell this process's worker, if there is one, that there is a job."""
    if worker := current_app.extensions.get(_EXTENSION):
        worker.wake()

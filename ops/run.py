"""What all long-running commands share: a log, and a clear message when they are interrupted or fail."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from datetime import datetime

from ops.errors import OpsError
from ops.paths import LOGS, ROOT
from ops.progress import PhaseError, Progress

INTERRUPTED = 130  # the exit code that shells report after Ctrl-C


def guarded(name: str, work: Callable[[Progress], int], *, advice: str) -> int:
    """Runs `work` with a new log logs/NAME-<time>.log and returns its exit code.

    When interrupted, prints the phase and the `advice` and returns 130. On failure, prints the phase, the reason and
    the relevant lines of the log and returns 1.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):  # `kill` and a closed terminal stop children as Ctrl-C does
        signal.signal(number, signal.default_int_handler)
    progress = Progress(LOGS / f"{name}-{datetime.now():%Y%m%d-%H%M%S}.log")
    try:
        return work(progress)
    except KeyboardInterrupt:
        progress.say(f"\nInterrupted in phase {progress.current!r}. {advice}")
        return INTERRUPTED
    except Exception as error:
        _explain(error, progress)
        return 1


def _explain(error: Exception, progress: Progress) -> None:
    progress.say(f"\nFailed in phase {progress.current!r}: {error}")
    lines: list[str] = []
    if isinstance(error, PhaseError):
        lines = error.lines or progress.tail()
    elif not isinstance(error, OpsError):  # a bug in this program
        lines = traceback.format_exc().splitlines()
    for line in lines:
        progress.say(f"  {line}")
    progress.say(f"Full log: {progress.log_path.relative_to(ROOT)}")

"""What every long command shares: a log, and a clear word when it is interrupted or fails."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from datetime import datetime

from ops.errors import OpsError
from ops.paths import LOGS, ROOT
from ops.progress import PhaseError, Progress

INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def guarded(name: str, work: Callable[[Progress], int], *, advice: str) -> int:
    """Runs `work` with a new log logs/NAME-<time>.log and returns its exit code.

    Interrupted, it tells the phase and the `advice` and returns 130; failed, it tells the phase, the reason and the
    log's lines that matter, and returns 1.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):  # `kill` and a closed terminal end children as Ctrl-C does
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
    elif not isinstance(error, OpsError):  # a fault of this program
        lines = traceback.format_exc().splitlines()
    for line in lines:
        progress.say(f"  {line}")
    progress.say(f"Full log: {progress.log_path.relative_to(ROOT)}")

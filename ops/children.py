"""Running other programs so that none of them outlives this one: Ctrl-C ends the child before anything else."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

#: How long an interrupted program may take to clean up after itself before it is told less kindly.
GRACE_SECONDS = 15.0


@contextmanager
def child(command: list[str], *, grace: float = GRACE_SECONDS, **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Starts a program in a session of its own; leaving the block early ends it and all that it started.

    `grace` is how many seconds it has after an interrupt, and again after SIGTERM, before it is killed.

    The terminal's Ctrl-C reaches this process alone, which then passes it on once and waits: otherwise both would
    race, and a program killed half-way through its own cleaning up leaves mounts and half-made containers.
    """
    process = subprocess.Popen(command, start_new_session=True, **options)
    try:
        yield process
    except BaseException:
        _end(process, grace)
        raise


def run(
    command: list[str],
    *,
    stdin: str | None = None,
    stdout: IO[Any] | int = subprocess.PIPE,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Like subprocess.run with its output captured as text; never raises for an exit code."""
    source = subprocess.PIPE if stdin is not None else subprocess.DEVNULL
    options: dict[str, Any] = {"stdin": source, "stdout": stdout, "stderr": subprocess.PIPE, "cwd": cwd, "env": env}
    with child(command, text=True, errors="replace", **options) as process:
        output, errors = process.communicate(stdin)
    return subprocess.CompletedProcess(command, process.returncode, output or "", errors or "")


def _end(process: subprocess.Popen[Any], grace: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=grace)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
        break
    process.wait()

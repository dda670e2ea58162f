"""Runs other programs and makes sure that none outlives this one: Ctrl-C stops the child first."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

#: How long an interrupted program may clean up before it gets SIGTERM, and then SIGKILL.
GRACE_SECONDS = 15.0


@contextmanager
def child(command: list[str], *, grace: float = GRACE_SECONDS, **options: Any) -> Iterator[subprocess.Popen[Any]]:
    """Starts a program in its own session; an exception in the block stops it and everything it started.

    `grace` is how many seconds it gets after SIGINT, and again after SIGTERM, before it is killed.

    Ctrl-C in the terminal reaches only this process, which forwards it once and waits. Otherwise both would race, and a
    program killed during its cleanup leaves mounts and half-made containers behind.
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
    """Like subprocess.run with its output captured as text; any exit code is returned, not raised."""
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

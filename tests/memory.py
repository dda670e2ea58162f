"""Directories in memory for the data of test databases: on disk, each acknowledged write waits for the disk."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the directory is made by mkdtemp
#: Three test processes with a cluster each (9 members of 0.3 GB) and what mongod itself needs.
NEEDED_GB = 14
_PREFIX = "film-library-tests-"


@contextmanager
def directory() -> Iterator[Path]:
    """A new directory, removed at the end: in memory if the machine has enough, else on disk."""
    root = SHARED_MEMORY if _available_gb() >= NEEDED_GB and os.access(SHARED_MEMORY, os.W_OK) else None
    if root:
        _remove_leftovers(root)
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=root, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _available_gb() -> float:
    meminfo = Path("/proc/meminfo")
    found = re.search(r"^MemAvailable: +(\d+) kB", meminfo.read_text() if meminfo.exists() else "", re.MULTILINE)
    return int(found[1]) / 2**20 if found else 0


def _remove_leftovers(root: Path) -> None:
    """Removes the directories of killed test runs, which would otherwise keep their memory."""
    for path in root.glob(f"{_PREFIX}*"):
        process = path.name.removeprefix(_PREFIX).partition("-")[0]
        if process.isdecimal() and not Path("/proc", process).exists():
            shutil.rmtree(path, ignore_errors=True)

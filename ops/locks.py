"""Locks between this clone's processes; the kernel releases them when the holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from ops.errors import OpsError
from ops.paths import CACHE


class LockedError(OpsError):
    """Another process holds the lock. The message is its name."""


@contextmanager
def exclusive(name: str, part: str = "", *, wait: bool = True) -> Iterator[None]:
    """Holds the lock `name`, or that of a part of it. Waits for it, or raises LockedError if `wait` is false."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}{part and '-'}{part}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(name) from error
        yield

"""Ends a command that goes on until it gets a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.processes import wait_for


@contextmanager
def ended_once_there_is(file: Path) -> Iterator[None]:
    """What runs in it gets SIGTERM when the file is there; afterwards signals are handled as before."""

    def end() -> None:
        wait_for(file.name, file.exists)
        os.kill(os.getpid(), signal.SIGTERM)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    ending = threading.Thread(target=end)
    ending.start()
    try:
        yield
    finally:
        ending.join()
        for number, handler in handlers.items():
            signal.signal(number, handler)

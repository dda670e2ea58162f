"""Attempts to connect from a host: what gets through, whether or not something is listening."""

from __future__ import annotations

import socket
from collections.abc import Iterable

SECONDS = 2.0  # responses take milliseconds; dropped packets get none

# Runs on a host, which has Python for Ansible.
_SCRIPT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor

def passes(target):
    try:
        socket.create_connection(target, timeout={seconds}).close()
    except ConnectionRefusedError:
        return {refused}  # by the other host
    except OSError:
        return False
    return True

targets = {targets}
with ThreadPoolExecutor(64) as pool:
    print(json.dumps(list(pool.map(passes, targets))))
"""


def script(targets: Iterable[tuple[str, int]], *, refused: bool = True) -> str:
    """A Python script that prints a JSON list: for each (address, port) whether a connection gets through.

    `refused` is what a refused connection counts as: nothing listens there, or the host's own filter rejects it.
    """
    return _SCRIPT.format(seconds=SECONDS, targets=list(targets), refused=refused)


def passes(target: tuple[str, int], source: str = "") -> bool:
    """Whether a connection from this machine, or one of its addresses, gets through."""
    try:
        socket.create_connection(target, timeout=SECONDS, source_address=(source, 0)).close()
    except ConnectionRefusedError:
        return True  # by the host: nothing is listening, but the packet arrived
    except OSError:
        return False
    return True

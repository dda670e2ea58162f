"""Records what a host sends and receives, to look for secrets in it."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops import ssh
from tests.drills.environment import ENV

# Runs on the host, until its standard input ends. Prints when it has begun, then every frame of every interface.
_RECORD = """
import select, socket, sys
every_protocol = 3
recorder = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(every_protocol))
recorder.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE, so that nothing is lost
sys.stdout.buffer.write(b"recording\\n")
sys.stdout.buffer.flush()
while True:
    ready = select.select([recorder, sys.stdin], [], [])[0]
    if sys.stdin in ready:
        break
    sys.stdout.buffer.write(recorder.recv(65536) + b"\\n")
sys.stdout.buffer.flush()
"""


@contextmanager
def recorded(address: str, file: Path) -> Iterator[None]:
    """Writes all frames of a host, loopback included, to the file while the context lasts."""
    command = [*ssh.command(ENV, address), f"python3 -c {shlex.quote(_RECORD)}"]
    with file.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output)
        try:
            while b"recording" not in file.read_bytes():
                if process.poll() is not None:
                    sys.exit(f"recording on {address} ended with {process.returncode}")
            yield
        finally:
            process.communicate()  # closes its standard input

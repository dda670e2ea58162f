"""Child processes that can be started, waited for, stopped, and killed and restarted by drills."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ops.paths import ROOT

START_TIMEOUT = 60.0  # seconds; nine mongods answer in about 2 on two cores
POLL_INTERVAL = 0.05  # seconds between checks of a process that is starting

T = TypeVar("T")


class StartError(RuntimeError):
    """A process ended or didn't respond in time; the message has the end of its log."""


@dataclass
class Process:
    """A mongod, router or app, which can be killed and restarted."""

    name: str
    argv: list[str]
    port: int
    log: Path
    environment: dict[str, str] | None = None  # None: this process's
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait_until_listening` waits until it is usable."""
        # In its own session: Ctrl-C reaches only this process, which then stops everything in order.
        self.popen = subprocess.Popen(
            self.argv,
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self.log.with_suffix(".err").open("ab"),
            start_new_session=True,
        )

    def alive(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def send(self, number: int) -> None:
        """Send a signal, such as the drills' SIGKILL and SIGCONT."""
        if self.popen is not None and self.alive():
            self.popen.send_signal(number)

    def freeze(self) -> None:
        """Stop the process where it is, and return once all its threads have; SIGCONT lets it go on.

        SIGSTOP alone may return before: on a busy machine a thread could still answer.
        """
        if self.popen is not None and self.alive():
            self.popen.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, self.popen.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 20) -> None:
        """Stop the process and wait for it; kill it if it ignores the signal."""
        if self.popen is None:
            return
        self.send(number)
        self.send(signal.SIGCONT)  # a frozen process wouldn't receive the signal
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def wait_until_listening(self) -> None:
        """Wait until its port accepts connections.

        Raises:
            StartError: it ended, or didn't accept any within START_TIMEOUT.
        """

        def answers() -> bool:
            if not self.alive():
                raise StartError(f"{self.name} ended:\n{self.last_words()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        try:
            wait_for(f"{self.name} on port {self.port}", answers)
        except TimeoutError as error:
            raise StartError(f"{error}\n{self.last_words()}") from error

    def last_words(self, lines: int = 12) -> str:
        """The end of the process's output, for an error message."""
        output = [p.read_text(errors="replace") for p in (self.log.with_suffix(".err"), self.log) if p.exists()]
        return "\n".join("\n".join(output).splitlines()[-lines:])


def free_port() -> int:
    """A free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port."""
    with socket.socket() as probe:
        # As servers do, so that a port that was just closed counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(what: str, ask: Callable[[], T | None]) -> T:
    """Call `ask` until its result is true, and return it.

    Raises:
        TimeoutError: it wasn't within START_TIMEOUT.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while not (result := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {START_TIMEOUT:.0f} s")
        time.sleep(POLL_INTERVAL)
    return result

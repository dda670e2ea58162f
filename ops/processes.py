"""One program run as a child of this one: started, waited for, killed and started again by the drills, stopped."""

from __future__ import annotations

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
POLL_INTERVAL = 0.05  # seconds between two questions to a process that is coming up

T = TypeVar("T")


class StartError(RuntimeError):
    """A process ended or did not answer in time; the message holds the end of its log."""


@dataclass
class Process:
    """One mongod or router: how it was started, so that a test can kill it and start it again."""

    name: str
    argv: list[str]
    port: int
    log: Path
    environment: dict[str, str] | None = None  # None: this process's own
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait_until_listening` says when it can be used."""
        # A session of its own: Ctrl-C at the terminal reaches the starter alone, which then stops all in order.
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
        """Send a signal, as the failure drills do (SIGKILL, SIGSTOP, SIGCONT)."""
        if self.popen is not None and self.alive():
            self.popen.send_signal(number)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 20) -> None:
        """End the process and wait for it; one that ignores the signal is killed."""
        if self.popen is None:
            return
        self.send(number)
        self.send(signal.SIGCONT)  # a frozen process would never see the signal
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def wait_until_listening(self) -> None:
        """Wait for its port to answer.

        Raises:
            StartError: it ended, or did not answer within START_TIMEOUT.
        """

        def answers() -> bool:
            if not self.alive():
                raise StartError(f"{self.name} ended at once:\n{self.last_words()}")
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        try:
            wait_for(f"{self.name} on port {self.port}", answers)
        except TimeoutError as error:
            raise StartError(f"{error}\n{self.last_words()}") from error

    def last_words(self, lines: int = 12) -> str:
        """The end of what the process said, for an error message."""
        said = [p.read_text(errors="replace") for p in (self.log.with_suffix(".err"), self.log) if p.exists()]
        return "\n".join("\n".join(said).splitlines()[-lines:])


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of loopback now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # a closed server's port is free, as it will be told
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def wait_for(what: str, ask: Callable[[], T | None]) -> T:
    """Ask until the answer is true.

    Raises:
        TimeoutError: it wasn't within START_TIMEOUT.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {START_TIMEOUT:.0f} s")
        time.sleep(POLL_INTERVAL)  # between two questions, not instead of one
    return answer

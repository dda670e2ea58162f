"""The output of a long run: one line per phase, the running phase live, and a log file with everything else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ops.errors import OpsError

_TITLE_WIDTH = 50
_REST_WIDTH = 28  # of the live line: the seconds and a short hint
_TAIL_LINES = 15

#: Takes a short text that says what is happening now.
Say = Callable[[str], None]


def quiet(_: str) -> None:
    """For callers that show no progress."""


class PhaseError(OpsError):
    """A phase failed. `lines` say why; None means that the end of the log does."""

    def __init__(self, message: str, lines: list[str] | None = None) -> None:
        super().__init__(message)
        self.lines = lines


class Progress:
    """Prints phases with their duration to `stream` (standard output) and everything else to the log file.

    A terminal also shows the running phase and its latest hint.
    """

    def __init__(self, log: Path, stream: TextIO | None = None) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch(mode=0o600)  # Ansible prints a failed module's message even with no_log
        self.log_path = log
        self.seconds: dict[str, float] = {}
        self.current = ""
        # Append mode, because a child may write to the same file.
        self._log = log.open("a", buffering=1)
        self._console = Console(file=stream or sys.stdout, markup=False, highlight=False, emoji=False)
        self._began = 0.0
        self._hint = ""

    def log(self, text: str) -> None:
        """Adds lines to the log only."""
        self._log.write(text if text.endswith("\n") else text + "\n")

    def hint(self, text: str) -> None:
        """What the running phase is doing now; terminals show it until the next hint."""
        self._hint = text

    def say(self, text: str) -> None:
        """Prints a line, and logs it."""
        self._console.print(text, soft_wrap=True)
        self.log(text)

    def total(self, seconds: float, remark: str) -> None:
        """The last line, after all phases."""
        self.say(f"{_line('total', seconds)}  {remark}\n")

    @contextmanager
    def phase(self, title: str) -> Iterator[None]:
        """A phase that lasts until the end of the block, or until `next_phase`."""
        self._begin(title)
        with Live(
            console=self._console,
            get_renderable=self._running,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        ):
            yield
        self._end()

    def next_phase(self, title: str) -> None:
        """Ends the running phase and begins another in the same block."""
        self._end()
        self._begin(title)

    @property
    def log_file(self) -> TextIO:
        """The log, for a child to write into."""
        return self._log

    def tail(self) -> list[str]:
        """The log's last lines."""
        return self.log_path.read_text(errors="replace").splitlines()[-_TAIL_LINES:]

    def rename(self, title: str) -> None:
        """Renames the running phase."""
        self.current = title
        self.log(f"==== {title}")

    def _begin(self, title: str) -> None:
        self.current, self._began, self._hint = title, time.monotonic(), ""
        self.log(f"==== {title}")

    def _end(self) -> None:
        seconds = time.monotonic() - self._began
        self.seconds[self.current] = self.seconds.get(self.current, 0.0) + seconds
        self.say(_line(self.current, seconds))

    def _running(self) -> Text:
        width = min(_TITLE_WIDTH, max(8, self._console.width - _REST_WIDTH))
        line = f"{_line(self.current[:width], time.monotonic() - self._began, width)}  {self._hint}"
        return Text(line[: self._console.width - 1], no_wrap=True, overflow="crop")


def _line(title: str, seconds: float, width: int = _TITLE_WIDTH) -> str:
    return f"  {title:<{width}} {seconds:6.1f} s"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table with aligned columns."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]

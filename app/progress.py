"""A progress line with rate and time left: redrawn on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from typing import TextIO

REDRAW_S = 0.1
LINE_EVERY_S = 5.0
WIDTH = 30  # characters of the bar


class Progress:
    """How far some work of `expected` items is. Draws on standard error; only from one thread at a time."""

    def __init__(self, label: str, expected: int, stream: TextIO | None = None) -> None:
        self._label, self._expected, self._done = label, expected, 0
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._began = self._drawn = time.monotonic()

    def advance(self, items: int) -> None:
        """Say that `items` more are done."""
        self._done += items
        moment = time.monotonic()
        finished = self._done >= self._expected
        if self._terminal and (finished or moment - self._drawn >= REDRAW_S):
            self._draw(moment, "\r", "\x1b[K\n" if finished else "\x1b[K")
        elif not self._terminal and moment - self._drawn >= LINE_EVERY_S:
            self._draw(moment, "", "\n")

    def _draw(self, moment: float, before: str, after: str) -> None:
        self._drawn = moment
        self._stream.write(f"{before}{self.text(moment - self._began)}{after}")
        self._stream.flush()

    def text(self, elapsed: float) -> str:
        """One line on the state after `elapsed` seconds."""
        share = min(1.0, self._done / self._expected) if self._expected else 1.0
        rate = self._done / elapsed if elapsed > 0 else 0.0
        left = max(0, self._expected - self._done) / rate if rate else 0.0
        bar = f"[{'#' * int(share * WIDTH):<{WIDTH}}] " if self._terminal else ""
        end = f"{elapsed:.0f} s" if share == 1.0 else f"{left:.0f} s left"
        return f"{self._label:<12} {bar}{share:4.0%}  {self._done:,} of {self._expected:,}  {rate:,.0f}/s  {end}"

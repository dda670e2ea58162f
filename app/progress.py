"""A progress line with rate and time left: redrawn on a terminal, a plain line every few seconds elsewhere."""

import sys
import time
from typing import TextIO

REDRAW_S = 0.1
LINE_EVERY_S = 5.0
WIDTH = 30  # characters of the bar


class Progress:
    """The progress of work of size `expected` (items or bytes), drawn on standard error."""

    def __init__(self, label: str, expected: int, stream: TextIO | None = None) -> None:
        self._label, self._expected = label, expected
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._began = self._drawn = time.monotonic()

    def reach(self, position: int, items: int) -> None:
        """Report the `position` reached and the number of `items` done."""
        moment = time.monotonic()
        finished = position >= self._expected
        if self._terminal and (finished or moment - self._drawn >= REDRAW_S):
            self._draw(position, items, moment, "\r", "\x1b[K\n" if finished else "\x1b[K")
        elif not self._terminal and moment - self._drawn >= LINE_EVERY_S:
            self._draw(position, items, moment, "", "\n")

    def _draw(self, position: int, items: int, moment: float, before: str, after: str) -> None:
        self._drawn = moment
        self._stream.write(f"{before}{self.text(position, items, moment - self._began)}{after}")
        self._stream.flush()

    def text(self, position: int, items: int, elapsed: float) -> str:
        """The progress line after `elapsed` seconds."""
        share = min(1.0, position / self._expected) if self._expected else 1.0
        rate = items / elapsed if elapsed > 0 else 0.0
        left = elapsed * (1 - share) / share if share else 0.0
        bar = f"[{'#' * int(share * WIDTH):<{WIDTH}}] " if self._terminal else ""
        end = f"{elapsed:.0f} s" if share == 1.0 else f"{left:.0f} s left"
        return f"{self._label:<12} {bar}{share:4.0%}  {items:,} done  {rate:,.0f}/s  {end}"

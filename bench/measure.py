"""Timing, percentiles, and tables of figures."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ops.progress import table


@dataclass(frozen=True)
class Figure:
    """One measurement. `ratio` is how many times better ours is than the peer; `aim` is the target."""

    what: str
    ours: str
    peer: str = ""
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None


def time_calls(call: Callable[[], object], times: int) -> list[float]:
    """Seconds of each of `times` calls, after one uncounted call that fills caches."""
    call()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return taken


def time_alternately(calls: Sequence[Callable[[], object]], times: int) -> list[list[float]]:
    """Seconds of `times` calls of each, in turns, so that other load affects all alike."""
    taken: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(times):
        for call, seconds in zip(calls, taken, strict=True):
            began = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - began)
    return taken


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest of `values` that at least `share` (0 to 1) of them don't exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def milliseconds(seconds: float) -> str:
    """0.0123 -> "12.3 ms"."""
    return f"{seconds * 1000:.1f} ms"


def show(title: str, figures: list[Figure]) -> None:
    """Print a table of figures."""
    words = {True: "met", False: "MISSED", None: ""}
    rows = [
        [
            figure.what,
            figure.ours,
            figure.peer,
            f"{figure.ratio:.2f} x" if figure.ratio else "",
            figure.aim,
            words[figure.met],
        ]
        for figure in figures
    ]
    print(f"\n{title}")
    for line in table(["", "ours", "peer", "ratio", "aim", ""], rows):
        print(f"  {line}", flush=True)

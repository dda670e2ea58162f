"""The geometry of charts for the templates; colours and text sizes are in the style sheet.

Horizontal positions are in per cent of a chart's width, vertical ones in pixels, so that charts fit any screen while
their text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 200  # pixels of the plot, without the labels below it
SMALLEST = 2.0  # pixels; a value above 0 is always visible
BAND_FILLED = 0.8  # share of a column's band; the rest is the gap
X_LABELS = 6  # as many as fit on a phone
Y_TICKS = 4


@dataclass(frozen=True)
class Point:
    """A value with its full label (for the tooltip and the table) and its short one (below the axis)."""

    label: str
    value: int
    short: str


@dataclass(frozen=True)
class Column:
    """A drawn value: its band and the column in it."""

    point: Point
    band: float  # per cent
    band_width: float
    x: float
    width: float
    y: float  # pixels
    height: float


@dataclass(frozen=True)
class Tick:
    """A label at an axis, at per cent across or pixels down."""

    at: float
    text: str


@dataclass(frozen=True)
class ColumnChart:
    """A column chart."""

    columns: list[Column]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    height: int = HEIGHT

    @property
    def total(self) -> int:
        return sum(column.point.value for column in self.columns)

    @property
    def highest(self) -> Point:
        """The first of the highest points."""
        return max((column.point for column in self.columns), key=lambda point: point.value)


def column_chart(points: Sequence[Point], label_every: int | None = None) -> ColumnChart:
    """A chart of points in their order; without points it is empty.

    Args:
        label_every: label every so many columns, counted from the last; None for as many as fit. Points with an empty
            `short` are never labelled.
    """
    top, step = scale(max((point.value for point in points), default=0))
    share = 100 / len(points) if points else 0
    columns = [_column(number, point, share, top) for number, point in enumerate(points)]
    every = label_every or math.ceil(len(points) / X_LABELS) or 1
    last = len(points) - 1
    labelled = [column for number, column in enumerate(columns) if (last - number) % every == 0 and column.point.short]
    return ColumnChart(
        columns=columns,
        x_ticks=[Tick(round(column.band + share / 2, 3), column.point.short) for column in labelled],
        y_ticks=[
            Tick(round(HEIGHT * (1 - value / top), 1), f"{value:,}") for value in range(0, top + 1, step) if points
        ],
    )


def _column(number: int, point: Point, share: float, top: int) -> Column:
    height = max(HEIGHT * point.value / top, SMALLEST) if point.value else 0
    gap = share * (1 - BAND_FILLED) / 2
    return Column(
        point=point,
        band=round(number * share, 3),
        band_width=round(share, 3),
        x=round(number * share + gap, 3),
        width=round(share - 2 * gap, 3),
        y=round(HEIGHT - height, 1),
        height=round(height, 1),
    )


def scale(highest: int) -> tuple[int, int]:
    """The end of an axis from 0 that fits `highest`, and the distance between ticks (1, 2 or 5 times a power of 10)."""
    wanted = max(highest, 1) / Y_TICKS
    power = 10 ** max(math.floor(math.log10(wanted)), 0)
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted)
    return math.ceil(max(highest, 1) / step) * step, step


@dataclass(frozen=True)
class Bar:
    """A bar: its length in per cent of the longest, and its share of the total in per cent."""

    label: str
    value: float
    length: float
    share: float
    href: str | None = None


def bars(rows: Sequence[tuple[str, float]], total: float, links: Sequence[str | None] = ()) -> list[Bar]:
    """Bars for (label, value) in their order.

    Args:
        total: what shares refer to; list items can add up to more.
        links: where each label links to, if anywhere.
    """
    longest = max((value for _, value in rows), default=0) or 1
    hrefs = [*links, *[None] * (len(rows) - len(links))]
    return [
        Bar(label, value, round(100 * value / longest, 2), round(100 * value / total, 1) if total else 0.0, href)
        for (label, value), href in zip(rows, hrefs, strict=True)
    ]

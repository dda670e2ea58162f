"""The geometry of charts, for the templates to draw: no colours and no text sizes, which are the style sheet's.

Across, everything is in per cent of a chart's width and down in pixels, so that a chart fills a phone or a desk while
its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT = 200  # pixels of the plot, without the labels below it
SMALLEST = 2.0  # pixels: something is never drawn as nothing
BAND_FILLED = 0.8  # of a column's share of the width; the rest is the gap
X_LABELS = 6  # fit side by side on a phone
Y_TICKS = 4


@dataclass(frozen=True)
class Point:
    """A value, what it belongs to in full (for the tooltip and the table), and in short (below the axis)."""

    label: str
    value: int
    short: str


@dataclass(frozen=True)
class Column:
    """A drawn value: the band that it has to itself and the column in it."""

    point: Point
    band: float  # per cent
    band_width: float
    x: float
    width: float
    y: float  # pixels
    height: float


@dataclass(frozen=True)
class Tick:
    """A label at an axis: per cent across or pixels down, and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class ColumnChart:
    """Values in an order, as columns."""

    columns: list[Column]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    height: int = HEIGHT

    @property
    def total(self) -> int:
        return sum(column.point.value for column in self.columns)

    @property
    def highest(self) -> Point:
        """The first of the highest."""
        return max((column.point for column in self.columns), key=lambda point: point.value)


def column_chart(points: Sequence[Point], label_every: int | None = None) -> ColumnChart:
    """Columns for points in their order; none make an empty chart.

    Args:
        label_every: write below the axis what a column is for each so many, counted from the last one; None for as many
            as fit. Points whose `short` is empty get no label in any case.
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
    """The end of an axis from 0 that `highest` fits on, and the distance of its ticks (1, 2 or 5 times 10 to the n)."""
    wanted = max(highest, 1) / Y_TICKS
    power = 10 ** max(math.floor(math.log10(wanted)), 0)
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= wanted)
    return math.ceil(max(highest, 1) / step) * step, step


@dataclass(frozen=True)
class Bar:
    """A row of a bar chart: the bar's length in per cent of the longest, and its share of all in per cent."""

    label: str
    value: float
    length: float
    share: float
    href: str | None = None


def bars(rows: Sequence[tuple[str, float]], total: float, links: Sequence[str | None] = ()) -> list[Bar]:
    """Bars for (label, value) in their order.

    Args:
        total: what the shares are of; items of lists can add up to more.
        links: where each label leads, if anywhere.
    """
    longest = max((value for _, value in rows), default=0) or 1
    hrefs = [*links, *[None] * (len(rows) - len(links))]
    return [
        Bar(label, value, round(100 * value / longest, 2), round(100 * value / total, 1) if total else 0.0, href)
        for (label, value), href in zip(rows, hrefs, strict=True)
    ]

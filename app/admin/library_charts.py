"""The charts of the library dashboard."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import url_for

from app.admin.charts import Bar, ColumnChart, Point, bars, column_chart
from app.admin.views import filter_parameters
from app.db.cluster import Counts, Figures, Unit
from app.db.core import Condition

LABEL_EVERY: dict[Unit, int] = {"day": 7, "month": 6}
GENRES = 12  # the others are summed up
YEARLY_SPAN = 120  # years; longer spans are drawn by decade
YEAR_LABELS = 5
TYPE_NAMES = {"MOVIE": "Films", "SHOW": "Shows", None: "Unknown"}


def library_charts(found: Figures, unit: Unit) -> dict[str, ColumnChart | list[Bar]]:
    """Charts by their names in the template."""
    over_time = found.over_time[unit]
    return {
        "years": column_chart(_year_points(found.years), label_every=1),
        "genres": _genres(found.genres, found.films),
        "types": _types(found.types, found.films),
        "most_liked": _most_liked(found.most_liked),
        "sign_ups": _over_time_chart(over_time.sign_ups, unit),
        "likes": _over_time_chart(over_time.likes, unit),
        "active": _over_time_chart(over_time.active, unit),
    }


def _films(field: str, operator: str, value: str) -> str:
    """The address of the list of these films."""
    parameters = filter_parameters([Condition(field, operator, value)])
    return url_for("records.listing", name="movies", filter=parameters)


def _year_points(years: Counts) -> list[Point]:
    """A point per year or decade, without gaps; round years are labelled."""
    counts = {year: count for year, count in years if year is not None}
    if not counts:
        return []
    first, last = min(counts), max(counts)
    by_year = last - first < YEARLY_SPAN
    step = 1 if by_year else 10
    totals = dict.fromkeys(range(first // step * step, last + 1, step), 0)
    for year, count in counts.items():
        totals[year // step * step] += count
    label_step = next(
        size for size in (1, 2, 5, 10, 20, 50, 100, 200) if len(totals) * step <= YEAR_LABELS * size or size == 200
    )
    return [
        Point(str(year) if by_year else f"{year}s", count, str(year) if year % label_step == 0 else "")
        for year, count in totals.items()
    ]


def _genres(genres: Counts, films: int) -> list[Bar]:
    """The most frequent genres, and a row each for the others and for films without a genre."""
    named = [(str(genre), count) for genre, count in genres if genre is not None]
    rest = sum(count for _, count in named[GENRES:])
    without = sum(count for genre, count in genres if genre is None)
    others = [(f"{len(named) - GENRES} others", rest), ("no genre", without)]
    links = [_films("genres", "contains", name) for name, _ in named[:GENRES]]
    return bars(named[:GENRES] + [row for row in others if row[1]], films, links)


def _types(types: Counts, films: int) -> list[Bar]:
    rows = [(TYPE_NAMES.get(kind, str(kind)), count) for kind, count in types]
    return bars(rows, films, [_films("type", "eq", kind) if kind else None for kind, _ in types])


def _most_liked(films: list[dict[str, Any]]) -> list[Bar]:
    rows = [(film["title"] or f"{film['_id']} (deleted)", film["likes"]) for film in films]
    links = [
        url_for("record.show", name="movies", document_id=film["_id"]) if film["title"] else None for film in films
    ]
    return bars(rows, 0, links)


def _over_time_chart(counts: Counts, unit: Unit) -> ColumnChart:
    points = [Point(_long(start, unit), count, _short(start, unit)) for start, count in counts]
    return column_chart(points, LABEL_EVERY[unit])


def _long(start: datetime, unit: Unit) -> str:
    return f"{start:%B %Y}" if unit == "month" else f"{start.day} {start:%B %Y}"


def _short(start: datetime, unit: Unit) -> str:
    return f"{start:%b %Y}" if unit == "month" else f"{start.day} {start:%b}"

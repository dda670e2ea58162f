"""The start page: charts of what the library holds and how it is used."""

from __future__ import annotations

from datetime import datetime
from threading import Thread

from flask import Blueprint, Flask, current_app, render_template, request

from app.admin.charts import Bar, ColumnChart, Point, bars, column_chart
from app.admin.columns import VIEWS
from app.admin.rights import Action, requires
from app.db import figures
from app.db.errors import BadQuery, DatabaseError
from app.db.figures import Counted, Counts, Figures, Unit
from app.db.listing import list_page
from app.web.query import single

UNITS: dict[str, Unit] = {"day": "day", "month": "month"}
LABEL_EVERY: dict[Unit, int] = {"day": 5, "month": 6}
FIRST_COUNT_WAIT = 0.5  # seconds; a small library is counted by then, and its page needs no second look
GENRES = 12  # the others are added up
YEARLY_SPAN = 120  # years; a longer history is drawn by decades
TYPE_NAMES = {"MOVIE": "Films", "SHOW": "Shows", None: "Unknown"}

blueprint = Blueprint("dashboards", __name__)


@blueprint.get("/")
@requires(Action.VIEW)
def home() -> str:
    """A card per collection, and the charts as they were counted last; `by` is the period of those over time."""
    by = single(request.args, "by", "day")
    if by not in UNITS:
        raise BadQuery(f"by must be one of {', '.join(UNITS)}")
    counts = {name: list_page(name, limit=1) for name in VIEWS}
    counted = _counted()
    charts = _charts(counted.figures, UNITS[by]) if counted.figures else {}
    return render_template(
        "admin/dashboard.html", counts=counts, counted=counted, figures=counted.figures, by=by, **charts
    )


def _counted() -> Counted:
    """The figures; old ones are counted anew in the background. The first count is waited for a little."""
    counted = figures.current()
    if not counted.due:
        return counted
    # A daemon: a process that ends doesn't wait for the count, whose lease runs out by itself.
    counting = Thread(target=_refresh, args=(current_app._get_current_object(),), daemon=True)  # type: ignore[attr-defined]
    counting.start()
    if counted.figures is None:
        counting.join(FIRST_COUNT_WAIT)
    return figures.current()


def _refresh(app: Flask) -> None:
    try:
        figures.refresh()
    except DatabaseError as error:  # nobody waits for this; the page says when it failed
        app.logger.error("the library's figures can't be counted: %s", error)


def _charts(found: Figures, unit: Unit) -> dict[str, ColumnChart | list[Bar]]:
    over_time = found.over_time[unit]
    return {
        "years": column_chart(_year_points(found.years), label_every=1),
        "genres": bars(_genres(found.genres), found.films),
        "types": bars([(TYPE_NAMES.get(kind, str(kind)), count) for kind, count in found.types], found.films),
        "most_liked": bars(
            [(row["title"] or f"{row['_id']} (no longer there)", row["likes"]) for row in found.most_liked], 0
        ),
        "sign_ups": _over_time_chart(over_time.sign_ups, unit),
        "likes": _over_time_chart(over_time.likes, unit),
        "active": _over_time_chart(over_time.active, unit),
    }


def _year_points(years: Counts) -> list[Point]:
    """A point per year or decade without gaps; the round ones have their labels."""
    counts = {year: count for year, count in years if year is not None}
    if not counts:
        return []
    first, last = min(counts), max(counts)
    by_year = last - first < YEARLY_SPAN
    step = 1 if by_year else 10
    totals = dict.fromkeys(range(first // step * step, last + 1, step), 0)
    for year, count in counts.items():
        totals[year // step * step] += count
    label_step = next(size for size in (1, 2, 5, 10, 20, 50, 100, 200) if len(totals) * step <= 5 * size or size == 200)
    return [
        Point(str(year) if by_year else f"{year}s", count, str(year) if year % label_step == 0 else "")
        for year, count in totals.items()
    ]


def _genres(genres: Counts) -> list[tuple[str, int]]:
    """The most frequent ones; the rest, and the films that have none, in a row each."""
    named = [(str(genre), count) for genre, count in genres if genre is not None]
    rest = sum(count for _, count in named[GENRES:])
    without = sum(count for genre, count in genres if genre is None)
    others = [(f"{len(named) - GENRES} others", rest), ("none given", without)]
    return named[:GENRES] + [row for row in others if row[1]]


def _over_time_chart(counts: Counts, unit: Unit) -> ColumnChart:
    points = [Point(_long(start, unit), count, _short(start, unit)) for start, count in counts]
    return column_chart(points, LABEL_EVERY[unit])


def _long(start: datetime, unit: Unit) -> str:
    return f"{start:%B %Y}" if unit == "month" else f"{start.day} {start:%B %Y}"


def _short(start: datetime, unit: Unit) -> str:
    return f"{start:%b %Y}" if unit == "month" else f"{start.day} {start:%b}"


@blueprint.get("/system")
@requires(Action.VIEW)
def system() -> str:
    """Placeholder until it is there."""
    return render_template("admin/system.html")

"""The library's figures for the dashboard: counted in the background, stored in the database.

Counting a million films takes seconds, so a page shows the last figures and their time. A process that finds them old
counts again; a lease prevents other processes and hosts from doing so at the same time.
"""

import time
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pymongo.errors import DuplicateKeyError

from app.db.core import DatabaseError, Row, driver_errors, get_collection, now, time_limit
from app.db.search import failed_searches

NAME = "figures"
LIBRARY = "library"  # _id of the one document: {at, seconds, values, fresh_until, busy_until, failed_at}

FRESH = timedelta(minutes=5)
LARGEST_SHARE = 0.05  # of the time may go into counting while people look: slow counts stay fresh longer
COUNT_TIMEOUT_S = 300.0
# Longer than a count may take. After a failure or a process's death the next count waits for it to expire.
LEASE = timedelta(seconds=COUNT_TIMEOUT_S + 60)

Unit = Literal["day", "month"]
PERIODS: dict[Unit, int] = {"day": 30, "month": 24}  # how far back, including the current one
MOST_LIKED = 10
TERMS = 15

Counts = list[tuple[Any, int]]  # (what, how many of it)


@dataclass(frozen=True)
class OverTime:
    """Counts by start of period (UTC), without gaps, oldest first."""

    sign_ups: Counts
    likes: Counts
    active: Counts  # users who liked something


@dataclass(frozen=True)
class Figures:
    """The figures. A year, genre or type of None stands for films without one."""

    films: int
    years: Counts
    genres: Counts
    types: Counts
    most_liked: list[Row]  # {_id, title, likes}; title is None for a deleted film
    seen_today: int  # users with a log-in session used in the last 24 hours, or 7 days
    seen_this_week: int
    over_time: dict[Unit, OverTime]
    misses: list[Row]  # as `failed_searches.most_wanted` gives them


@dataclass(frozen=True)
class Counted:
    """The figures at time `at` (None before the first count), which took `seconds`, and the state of the next count."""

    figures: Figures | None = None
    at: datetime | None = None
    seconds: float = 0.0
    fresh: bool = False
    busy: bool = False
    failed_at: datetime | None = None

    @property
    def due(self) -> bool:
        """Whether it is time to count again."""
        return not self.fresh and not self.busy and self.failed_at is None


@driver_errors()
def current() -> Counted:
    """The last figures."""
    row = get_collection(NAME).find_one({"_id": LIBRARY}) or {}
    leased = row.get("busy_until") is not None and row["busy_until"] > now()
    failed_at = row.get("failed_at") if leased else None
    return Counted(
        figures=_from_values(row["values"]) if "values" in row else None,
        at=row.get("at"),
        seconds=row.get("seconds", 0.0),
        fresh=row.get("fresh_until") is not None and row["fresh_until"] > now(),
        busy=leased and failed_at is None,
        failed_at=failed_at,
    )


@driver_errors()
def refresh() -> bool:
    """Count and store the figures; False if they are fresh or being counted already.

    Raises DatabaseError when counting fails, or takes longer than COUNT_TIMEOUT_S.
    """
    lease = now() + LEASE
    if not _take(lease):
        return False
    own = {"_id": LIBRARY, "busy_until": lease}
    began = time.monotonic()
    try:
        with driver_errors(), time_limit(COUNT_TIMEOUT_S):
            values = asdict(_count())
    except DatabaseError:
        get_collection(NAME).update_one(own, {"$set": {"failed_at": now()}})
        raise
    seconds, moment = time.monotonic() - began, now()
    fresh_until = moment + max(FRESH, timedelta(seconds=seconds / LARGEST_SHARE))
    result = {"at": moment, "seconds": round(seconds, 3), "fresh_until": fresh_until, "values": values}
    get_collection(NAME).update_one(own, {"$set": result, "$unset": {"busy_until": 1, "failed_at": 1}})
    return True


def _take(lease: datetime) -> bool:
    """Take the lease; False if it is taken or the figures are fresh."""
    moment = now()
    free = {name: {"$not": {"$gt": moment}} for name in ("busy_until", "fresh_until")}
    change = {"$set": {"busy_until": lease}, "$unset": {"failed_at": 1}}
    try:
        get_collection(NAME).update_one({"_id": LIBRARY, **free}, change, upsert=True)
    except DuplicateKeyError:  # the document exists but isn't `free`
        return False
    return True


def _from_values(values: Row) -> Figures:
    pairs = {name: [tuple(pair) for pair in values[name]] for name in ("years", "genres", "types")}
    over_time = {
        unit: OverTime(**{name: [tuple(pair) for pair in series] for name, series in rows.items()})
        for unit, rows in values["over_time"].items()
    }
    return Figures(**{**values, **pairs, "over_time": over_time})


def _count() -> Figures:
    types = _by("movies", "type")
    moment = now()
    return Figures(
        films=sum(count for _, count in types),
        years=sorted(_by("movies", "release_year"), key=lambda pair: (pair[0] is None, pair[0])),
        genres=_by("movies", "genres", unwind=True),
        types=types,
        most_liked=_most_liked(),
        seen_today=_seen_since(moment - timedelta(days=1)),
        seen_this_week=_seen_since(moment - timedelta(days=7)),
        over_time={unit: _over_time(unit, moment) for unit in PERIODS},
        misses=failed_searches.most_wanted(TERMS),
    )


def _by(collection: str, name: str, *, unwind: bool = False) -> Counts:
    """The number of documents for each value of a field, most first; each item of a list counts."""
    stages: list[Row] = [{"$project": {name: 1}}]
    if unwind:
        stages.append({"$unwind": {"path": f"${name}", "preserveNullAndEmptyArrays": True}})
    rows = _aggregate(collection, [*stages, {"$group": {"_id": f"${name}", "count": {"$sum": 1}}}])
    return sorted(((row["_id"], row["count"]) for row in rows), key=lambda pair: (-pair[1], str(pair[0])))


def _most_liked() -> list[Row]:
    top = _aggregate(
        "user_interactions",
        [
            {"$group": {"_id": "$movie_id", "likes": {"$sum": 1}}},
            {"$sort": {"likes": -1, "_id": 1}},
            {"$limit": MOST_LIKED},
        ],
    )
    films = get_collection("movies").find({"_id": {"$in": [row["_id"] for row in top]}}, {"title": 1})
    titles = {film["_id"]: film["title"] for film in films}
    return [{**row, "title": titles.get(row["_id"])} for row in top]


def _seen_since(moment: datetime) -> int:
    """Users of the user app seen since; `seen_at` is updated at most once a minute (app.db.accounts.sessions)."""
    rows = _aggregate(
        "sessions", [{"$match": {"seen_at": {"$gte": moment}}}, {"$group": {"_id": "$user_id"}}, {"$count": "users"}]
    )
    return int(rows[0]["users"]) if rows else 0


def _over_time(unit: Unit, moment: datetime) -> OverTime:
    periods = period_starts(unit, moment)
    start = {"$match": {"created_at": {"$gte": periods[0]}}}
    period = {"$dateTrunc": {"date": "$created_at", "unit": unit}}
    sign_ups = _aggregate("users", [start, {"$group": {"_id": period, "count": {"$sum": 1}}}])
    likes = _aggregate(
        "user_interactions",
        [
            start,
            {"$group": {"_id": {"period": period, "user": "$user_id"}, "likes": {"$sum": 1}}},
            {"$group": {"_id": "$_id.period", "likes": {"$sum": "$likes"}, "users": {"$sum": 1}}},
        ],
    )

    def filled(rows: list[Row], name: str) -> Counts:
        counts = {row["_id"]: row[name] for row in rows}
        return [(period, counts.get(period, 0)) for period in periods]

    return OverTime(filled(sign_ups, "count"), filled(likes, "likes"), filled(likes, "users"))


def period_starts(unit: Unit, moment: datetime) -> list[datetime]:
    """The starts of the last PERIODS[unit] days or months (UTC), up to that of `moment`."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    backwards = range(PERIODS[unit] - 1, -1, -1)
    if unit == "day":
        return [midnight - timedelta(days=days) for days in backwards]
    months = [midnight.year * 12 + midnight.month - 1 - back for back in backwards]
    return [midnight.replace(year=month // 12, month=month % 12 + 1, day=1) for month in months]


def _aggregate(collection: str, stages: list[Row]) -> list[Row]:
    return list(get_collection(collection).aggregate(stages))

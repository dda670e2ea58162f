"""Which backups to keep. The rules are pure functions; `prune` applies one of them to a directory."""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.db.backups import manifest
from app.db.backups.errors import BackupError, Damaged
from app.db.backups.store import Directory
from app.db.backups.stored import load

#: All backups of a day, then one a day.
ALL, DAILY = timedelta(hours=24), timedelta(days=35)
#: An unfinished backup that is older than this isn't being made any more.
UNFINISHED = timedelta(hours=24)


@dataclass(frozen=True)
class Kept:
    """A backup as the rules see it. `at` is the moment of which it is, from its id; `size` is in bytes."""

    id: str
    at: datetime
    good: bool
    size: int


Rule = Callable[[Sequence[Kept], datetime], set[str]]


def archive(found: Sequence[Kept], now: datetime) -> set[str]:
    """The ids to keep where backups are for good: those of 24 hours, the first of each day (UTC) for 35 days.

    The last good one always stays, and unfinished ones for a day. Not the last of each day: that may be an intruder's.
    """
    good = [one for one in found if one.good]
    first_of_day = {one.at.date(): one.id for one in sorted(good, key=_age, reverse=True)}
    keep = {one.id for one in found if now - one.at <= ALL}
    keep |= {one.id for one in good if now - one.at <= DAILY and first_of_day[one.at.date()] == one.id}
    return keep | _last(good, 1)


def relay(found: Sequence[Kept], now: datetime, *, fetched: Collection[str], most_bytes: int) -> set[str]:
    """The ids to keep where backups wait to be fetched: those that aren't `fetched`, and the last two good ones.

    The oldest of them go when all together have more than `most_bytes`, but never the last good one.
    """
    good = [one for one in found if one.good]
    keep = {one.id for one in found if one.id not in fetched and (one.good or now - one.at <= UNFINISHED)}
    keep |= _last(good, 2)
    last = _last(good, 1)
    total = sum(one.size for one in found if one.id in keep)
    for one in sorted(found, key=_age):
        if total <= most_bytes:
            break
        if one.id in keep - last:
            keep.remove(one.id)
            total -= one.size
    return keep


def prune(directory: Directory, rule: Rule, now: datetime) -> list[str]:
    """Remove what a rule doesn't keep; returns its ids. What is damaged stays, for somebody to look at.

    Raises BackupError when anything can't be read, which doesn't mean that it isn't good.
    """
    found = []
    try:
        for name in filter(manifest.is_id, directory.backups()):
            sizes = directory.sizes(name)
            with suppress(Damaged):
                good = manifest.NAME in sizes and load(directory, name) is not None
                found.append(Kept(name, manifest.moment(name), good, sum(sizes.values())))
    except OSError as error:
        raise BackupError(f"the backups can't be listed: {error.strerror}") from error
    removed = sorted({one.id for one in found} - rule(found, now))
    for name in removed:
        directory.discard(name)
    return removed


def _last(good: Sequence[Kept], number: int) -> set[str]:
    return {one.id for one in sorted(good, key=_age)[-number:]}


def _age(one: Kept) -> tuple[datetime, str]:
    return one.at, one.id

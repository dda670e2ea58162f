"""Which backups to keep. The rules are pure functions; `prune` applies one of them to a directory."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from app.db.backups import ids, manifest
from app.db.backups.changes.chain import Chain, chains, is_chain
from app.db.backups.errors import BackupError, Damaged
from app.db.backups.stored import load, overview
from app.db.backups.stores import Directory

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


def archive(found: Sequence[Kept], now: datetime, starts: Sequence[datetime] = ()) -> set[str]:
    """The ids to keep where backups are for good: those of 24 hours, the first of each day (UTC) for 35 days.

    As long stay the first that follow the `starts` of chains: without them, nothing restores changes until the next
    day's. The last good one always stays, and unfinished ones for a day. Not the last of each day: that may be an
    intruder's.
    """
    good = sorted((one for one in found if one.good), key=_age)
    first_of_day = {one.at.date(): one.id for one in reversed(good)}
    keep = {one.id for one in found if now - one.at <= ALL}
    long = set(first_of_day.values())
    for start in starts:
        # Ids have whole seconds: one of that very second may be of before.
        long |= {one.id for one in [one for one in good if one.at >= start][:2]}
    keep |= {one.id for one in good if now - one.at <= DAILY and one.id in long}
    return keep | _last(good, 1)


def chain_starts(directory: Directory) -> list[datetime]:
    """When each chain of changes in a directory starts, to the second. Raises BackupError."""
    found = []
    for chain in chains(directory):
        with suppress(Damaged):
            found.append(chain.start.as_datetime())
    return found


def relay(found: Sequence[Kept], now: datetime, *, fetched: Collection[str], most_bytes: int | None) -> set[str]:
    """The ids to keep where backups wait to be fetched: those that aren't `fetched`, and the last two good ones.

    The oldest of them go when all together have more than `most_bytes`, but never the last good one.
    """
    good = [one for one in found if one.good]
    keep = {one.id for one in found if one.id not in fetched and (one.good or now - one.at <= UNFINISHED)}
    keep |= _last(good, 2)
    if most_bytes is None:
        return keep
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
        for name in filter(ids.is_id, directory.backups()):
            sizes = directory.sizes(name)
            with suppress(Damaged):
                good = manifest.NAME in sizes and load(directory, name) is not None
                found.append(Kept(name, ids.moment(name), good, sum(sizes.values())))
    except OSError as error:
        raise BackupError(f"the backups can't be listed: {error.strerror}") from error
    removed = sorted({one.id for one in found} - rule(found, now))
    for name in removed:
        directory.discard(name)
    return removed


@dataclass(frozen=True)
class Pruned:
    """What was removed from where backups wait to be fetched: ids, and numbers of slices that were fetched or not."""

    backups: list[str]
    slices: int
    unfetched_slices: int


def prune_relay(
    directory: Directory, now: datetime, *, fetched: Collection[str], slices: Mapping[str, int], most_bytes: int | None
) -> Pruned:
    """Remove what was fetched; then the oldest backups, then the oldest slices, if all have more than `most_bytes`.

    See `relay` and `prune_fetched_changes`. Raises BackupError.
    """

    def room(beside: Callable[[str], bool]) -> int | None:
        return None if most_bytes is None else max(0, most_bytes - _size(directory, beside))

    removed = prune_fetched_changes(directory, slices, None)
    backups = prune(directory, partial(relay, fetched=fetched, most_bytes=room(is_chain)), now)
    return Pruned(backups, removed, prune_fetched_changes(directory, slices, room(ids.is_id)))


def _size(directory: Directory, counts: Callable[[str], bool]) -> int:
    """Bytes of all files in backups whose names count. Raises BackupError."""
    try:
        return sum(sum(directory.sizes(name).values()) for name in filter(counts, directory.backups()))
    except OSError as error:
        raise BackupError(f"the backups can't be listed: {error.strerror}") from error


def prune_changes(directory: Directory) -> int:
    """Remove the slices that no backup in a directory needs; returns how many.

    Needed are those that follow the oldest good backup of their chain: with them a restore can go to any second since.
    Raises BackupError.
    """
    moments = [stored.manifest.cluster_time for stored in overview(directory) if stored.manifest is not None]
    removed = 0
    for chain in chains(directory):
        with suppress(Damaged):  # it stays, for somebody to look at
            covered = [moment for moment in moments if moment >= chain.start]
            for number in chain.numbers if covered else ():
                if chain.slice(number).end >= min(covered):
                    break
                removed += _remove(directory, chain, [number])
    return removed


def prune_fetched_changes(directory: Directory, fetched: Mapping[str, int], most_bytes: int | None) -> int:
    """Remove slices from where they wait to be fetched; returns how many.

    `fetched` has the last number by chain of those that are elsewhere, too. The oldest of the others go when all
    together have more than `most_bytes`. The last slice of all stays: the archive goes on there. Raises BackupError.
    """
    found = list(chains(directory))
    total = sum(sum(chain.sizes.values()) for chain in found)
    removed = 0
    for chain in found:
        last = fetched.get(chain.name, -1)
        for number in chain.numbers[:-1] if chain is found[-1] else chain.numbers:
            if number > last and (most_bytes is None or total <= most_bytes):
                break
            total -= sum(size for name, size in chain.sizes.items() if name.startswith(f"{number:08}"))
            removed += _remove(directory, chain, [number])
    return removed


def _remove(directory: Directory, chain: Chain, numbers: Sequence[int]) -> int:
    """Remove slices, what describes each one last. Raises BackupError."""
    try:
        for number in numbers:
            names = sorted(name for name in chain.sizes if name.startswith(f"{number:08}"))
            for name in sorted(names, key=lambda name: name.endswith(".json")):
                directory.remove(chain.name, name)
    except OSError as error:
        raise BackupError(f"{chain.name}/{name} can't be removed: {error.strerror}") from error
    return len(numbers)


def _last(good: Sequence[Kept], number: int) -> set[str]:
    return {one.id for one in sorted(good, key=_age)[-number:]}


def _age(one: Kept) -> tuple[datetime, str]:
    return one.at, one.id

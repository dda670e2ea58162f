"""Which slices a restore to a moment needs: found, and verified before anything is restored."""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bson import Timestamp
from bson.raw_bson import RawBSONDocument

from app.db.backups import files
from app.db.backups.changes.chain import Chain, Slice, chains, complete_second, json_name
from app.db.backups.changes.events import exact
from app.db.backups.errors import BackupError, Damaged, RestoreFailed, WrongKey
from app.db.backups.keys import PrivateKeys
from app.db.backups.manifest import Manifest
from app.db.backups.stores import Store

log = logging.getLogger(__name__)

END = "latest"  # all that the chain holds, also within its last second

# How much later other shards may report their part of a transaction of which one has reported its own.
STRAGGLERS_S = 60


@dataclass(frozen=True)
class Cover:
    """A chain's slices from a full backup's moment on. `until` is the last moment to restore: None for all there is."""

    chain: Chain
    slices: list[Slice]
    since: Timestamp
    until: Timestamp | None
    keys: PrivateKeys

    def read(self, one: Slice, take: Callable[[RawBSONDocument], None]) -> None:
        """Call `take` with each event of a slice. Raises Damaged, WrongKey, BackupError."""
        name = f"{one.chain}/{one.file}"
        counted = [0, 0]

        def count(event: memoryview) -> None:
            counted[0] += 1
            counted[1] += len(event)
            take(exact(event))

        if not one.file:
            return
        try:
            with self.chain.store.reader(one.chain, one.file) as file:
                files.read(file, name, one.sha256, self.keys, count)
        except FileNotFoundError as error:
            raise Damaged(f"{name} is missing") from error
        except OSError as error:
            raise BackupError(f"{name} can't be read: {error.strerror or error}") from error
        if counted != [one.events, one.bytes]:
            raise Damaged(f"{name} holds other events than {one.name} says")

    def verified(self) -> "Cover":
        """With the slices that are whole, after reading all. Raises Damaged, WrongKey, BackupError.

        Those that may only have the end of a transaction needn't be whole.
        """
        for place, one in enumerate(self.slices):
            try:
                self.read(one, lambda _: None)
            except Damaged:
                if not _reached(self.slices[:place], self.until):
                    raise
                return replace(self, slices=self.slices[:place])
        return self


def restorable(store: Store, backups: Iterable[Manifest]) -> dict[str, datetime]:
    """The last second to which each full backup can be restored, by id. It looks only at the end of a chain's slices.

    Raises BackupError when the store can't be read.
    """
    known = _readable(store)
    return {found.id: _last_second(known, found) for found in backups}


def _last_second(known: list[Chain], found: Manifest) -> datetime:
    last = complete_second(found.cluster_time) + timedelta(seconds=1)
    for chain in _covering(known, found):
        try:
            last = max(last, complete_second(_end(chain, _first(chain, found))))
        except Damaged as error:
            log.warning("changes since %s can't be used: %s", found.id, error)
    return last


def _end(chain: Chain, first: int) -> Timestamp:
    """Where the last readable slice ends of those that follow each other. Raises Damaged, BackupError."""
    for number in reversed(chain.unbroken(first)[1:]):
        with suppress(Damaged):
            return chain.slice(number).end
    return chain.slice(chain.numbers[first]).end


def cover(store: Store, found: Manifest, keys: PrivateKeys, at: datetime | str) -> Cover:
    """The verified slices with which a full backup becomes what was there at the end of a second, or at `END`.

    Raises RestoreFailed with the last second that can be reached when slices don't reach so far; Damaged, WrongKey,
    BackupError.
    """
    until = None if at == END else Timestamp(int(_utc(at).timestamp()), 2**32 - 1)
    if until is not None and until < found.cluster_time:
        raise RestoreFailed(f"{found.id} is of a later moment: choose an older backup")
    if (covered := _cover(store, found, keys, until)) is None:
        raise RestoreFailed(f"no changes since {found.id} are archived: it can be restored without them only")
    return covered


def intact(store: Store, found: Manifest, keys: PrivateKeys) -> tuple[Cover, Damaged | None]:
    """As `cover` until `END`; where something is damaged, the verified slices before that, and what it is.

    Raises RestoreFailed when there are no changes; WrongKey, BackupError.
    """
    try:
        return cover(store, found, keys, END), None
    except Damaged as error:
        damage = error
    before = [_before_damage(chain, found, keys) for chain in _covering(_readable(store), found)]
    return max(before, key=lambda one: len(one.slices)), damage


def _before_damage(chain: Chain, found: Manifest, keys: PrivateKeys) -> Cover:
    slices: list[Slice] = []
    covered = Cover(chain, slices, found.cluster_time, None, keys)
    with suppress(Damaged):
        for number in range(chain.numbers[_first(chain, found)], chain.numbers[-1] + 1):
            one = _next(chain, number, slices)
            covered.read(one, lambda _: None)
            slices.append(one)
    return covered


def verify(store: Store, found: Manifest, keys: PrivateKeys) -> datetime | None:
    """Read all slices since a full backup; returns the last second that they reach, None if there are none.

    Raises Damaged, WrongKey, BackupError.
    """
    covered = _cover(store, found, keys, None)
    return None if covered is None else complete_second(covered.slices[-1].end)


def _cover(store: Store, found: Manifest, keys: PrivateKeys, until: Timestamp | None) -> Cover | None:
    """As `cover`, of the first chain that can be used; None if no chain has changes since the backup."""
    covering = _covering(_readable(store), found)
    if len(covering) > 1:
        names = ", ".join(chain.name for chain in covering)
        log.warning("more than one chain has the changes since %s, so not all are the archiver's: %s", found.id, names)
    failures: list[BackupError] = []
    for chain in covering:
        try:
            slices = _run(chain, _first(chain, found), until)
            return Cover(chain, slices, found.cluster_time, until, keys).verified()
        except (Damaged, RestoreFailed, WrongKey) as error:
            failures.append(error)
            if len(covering) > 1:
                log.warning("%s can't be used: %s", chain.name, error)
    if failures:
        raise failures[0]
    return None


def _utc(at: datetime | str) -> datetime:
    if isinstance(at, str):
        raise RestoreFailed(f"{at!r:.40} is no time, such as 2026-11-29T12:34:56Z, nor {END!r}")
    return at.astimezone(UTC)


def _readable(store: Store) -> list[Chain]:
    """The chains of which any slice can be read. Raises BackupError."""
    readable = []
    for chain in chains(store):
        try:
            chain.first()
            readable.append(chain)
        except Damaged as error:
            log.warning("%s is left out: %s", chain.name, error)
    return readable


def _covering(known: list[Chain], found: Manifest) -> list[Chain]:
    """The chains with what follows a full backup, that which reaches furthest first. Raises BackupError.

    The archiver writes one, but a host in an intruder's hands may have others.
    """
    covering = [
        chain
        for chain in known
        if chain.first().database == found.database
        and chain.first().start <= found.cluster_time
        and chain.place(found.cluster_time) < len(chain.numbers)
    ]
    return sorted(covering, key=Chain.end, reverse=True)


def _first(chain: Chain, found: Manifest) -> int:
    """The index in `numbers` of the slice with a full backup's moment. Raises Damaged, BackupError."""
    first = chain.place(found.cluster_time)
    if chain.slice(chain.numbers[first]).start > found.cluster_time:
        raise Damaged(f"{chain.name}/{json_name(chain.numbers[first] - 1)} is missing")
    return first


def _run(chain: Chain, first: int, until: Timestamp | None) -> list[Slice]:
    """The slices from one to that which has the last change needed. Raises RestoreFailed, Damaged."""
    slices: list[Slice] = []
    for number in range(chain.numbers[first], chain.numbers[-1] + 1):
        if until is not None and _reached(slices, Timestamp(until.time + STRAGGLERS_S, 0)):
            break
        try:
            slices.append(_next(chain, number, slices))
        except Damaged:
            if not _reached(slices, until):
                raise
            break
    end = slices[-1].end
    if until is not None and not _reached(slices, until):
        why = f" ({slices[-1].ended})" if slices[-1].ended else ""
        raise RestoreFailed(f"the archived changes end{why}: {_reach(end)}")
    return slices


def _reached(slices: list[Slice], until: Timestamp | None) -> bool:
    """Whether slices have all events up to a moment."""
    return until is not None and bool(slices) and slices[-1].end > until


def _next(chain: Chain, number: int, before: list[Slice]) -> Slice:
    """The next slice, which fits the one before and has its file. Raises Damaged."""
    reach = f": {_reach(before[-1].end)}" if before else ""
    where = f"{chain.name}/{json_name(number)}"
    if number not in chain.numbers:
        raise Damaged(f"{where} is missing{reach}")
    try:
        one = chain.slice(number)
    except Damaged as error:
        raise Damaged(f"{error}{reach}") from error
    if before and (one.previous != chain.checksum(number - 1) or one.start != before[-1].end):
        raise Damaged(f"{where} doesn't follow the slice before it{reach}")
    if one.file and (size := chain.sizes.get(one.file)) != one.size:
        what = "missing" if size is None else f"damaged: it has {size:,} bytes instead of {one.size:,}"
        raise Damaged(f"{chain.name}/{one.file} is {what}{reach}")
    return one


def _reach(end: Timestamp) -> str:
    return f"a restore can go to {complete_second(end):%Y-%m-%dT%H:%M:%SZ}"

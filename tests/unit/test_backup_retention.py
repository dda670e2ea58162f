"""Which backups are kept: rules as pure functions, and what they do to a directory."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from bson import Timestamp
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from app.cli import backup_upkeep, main
from app.db.backups import BackupError, Directory, Manifest, manifest, retention
from app.db.backups.changes.chain import Slice, dump
from app.db.backups.retention import Kept

NOW = datetime(2025, 11, 29, 12, 30, tzinfo=UTC)


def kept(at: datetime, number: int = 0, *, good: bool = True, size: int = 1) -> Kept:
    return Kept(f"{at:%Y%m%dT%H%M%SZ}-{number:06x}", at, good, size)


def hours(*ago: float) -> list[Kept]:
    return [kept(NOW - timedelta(hours=number)) for number in ago]


def test_an_archive_keeps_all_of_a_day_and_the_first_of_each_of_35() -> None:
    hourly = [kept(datetime(2025, 10, 1, tzinfo=UTC) + timedelta(hours=number)) for number in range(24 * 60)]
    found = [one for one in hourly if one.at <= NOW]
    keep = retention.archive(found, NOW)
    left = [one.at for one in found if one.id in keep]
    assert left[-24:] == [one.at for one in found][-24:]
    days = left[:-24]
    assert days == [datetime(2025, 10, 26, tzinfo=UTC) + timedelta(days=number) for number in range(34)]


def test_an_archive_keeps_the_first_that_follow_the_start_of_a_chain() -> None:
    """One of the very second in which it starts may be of before."""
    day = datetime(2025, 11, 20, tzinfo=UTC)
    found = [kept(day + timedelta(hours=number)) for number in range(24)]
    start = day + timedelta(hours=13, minutes=30)
    left = retention.archive(found, NOW, [start, day - timedelta(days=9), NOW + timedelta(days=9)])
    assert left == {found[hour].id for hour in (0, 1, 14, 15, 23)}  # the last because there is no newer one
    broken = [Kept(one.id, one.at, one is not found[14], 1) for one in found]
    assert retention.archive(broken, NOW, [start]) == {found[hour].id for hour in (0, 15, 16, 23)}


def test_chains_that_cannot_be_read_keep_nothing(tmp_path: Path) -> None:
    slices(tmp_path, CHAIN, *HOURS[:2])
    slices(tmp_path, OLD, *HOURS[:2])
    (tmp_path / OLD / "00000000.json").write_text("{")
    assert retention.chain_starts(Directory(tmp_path)) == [HOURS[0] - timedelta(seconds=1)]


@pytest.mark.parametrize("rule", [retention.archive, lambda found, now: relay(found)])
def test_the_last_good_backup_stays_however_old(rule: retention.Rule) -> None:
    old, older = kept(NOW - timedelta(days=400)), kept(NOW - timedelta(days=401))
    broken = kept(NOW - timedelta(days=2), good=False)
    assert rule([older, broken, old], NOW) - {older.id} == {old.id}
    assert rule([], NOW) == set()


def relay(found: list[Kept], fetched: set[str] | None = None, most_bytes: int = 100) -> set[str]:
    everything = {one.id for one in found}
    return retention.relay(found, NOW, fetched=everything if fetched is None else fetched, most_bytes=most_bytes)


def test_unfinished_backups_stay_for_a_day() -> None:
    """One may just be being made, or fetched."""
    new, old = kept(NOW - timedelta(hours=1), good=False), kept(NOW - timedelta(hours=25), good=False)
    assert retention.archive([new, old], NOW) == relay([new, old], set()) == {new.id}


def test_a_relay_keeps_what_was_not_fetched_and_the_last_two() -> None:
    found = hours(5, 4, 3, 2, 1)
    assert relay(found) == {one.id for one in found[-2:]}
    assert relay(found, {found[1].id, found[4].id}) == {found[n].id for n in (0, 2, 3, 4)}


def test_a_relay_does_not_fill_the_disk() -> None:
    found = hours(5, 4, 3, 2, 1)
    assert relay(found, set(), most_bytes=3) == {one.id for one in found[-3:]}
    assert relay(found, set(), most_bytes=0) == {found[-1].id}


@given(
    st.lists(
        st.tuples(st.integers(0, 60 * 24 * 40), st.booleans()).map(
            lambda pair: kept(NOW - timedelta(minutes=pair[0]), good=pair[1])
        ),
        unique_by=lambda one: one.id,
    )
)
def test_keeping_twice_keeps_the_same(found: list[Kept]) -> None:
    once = retention.archive(found, NOW)
    left = [one for one in found if one.id in once]
    assert retention.archive(left, NOW) == once
    good = [one for one in found if one.good]
    assert not good or max(good, key=lambda one: one.at).id in once


def stored(path: Path, at: datetime, *, good: bool = True) -> str:
    name = f"{at:%Y%m%dT%H%M%SZ}-1a2b3c"
    made = Manifest(name, "movie_library", Timestamp(at, 1), at, at, "8.0.0", [])
    (path / name).mkdir()
    (path / name / "movies.bson.zst.age").write_bytes(b"x")
    if good:
        (path / name / manifest.NAME).write_bytes(manifest.dump(made))
    return name


def test_a_directory_is_pruned(tmp_path: Path) -> None:
    """Nothing but backups, and none that is damaged: a person may still read some of it."""
    old = [stored(tmp_path, NOW - timedelta(days=100 + number)) for number in range(3)]
    unfinished = stored(tmp_path, NOW - timedelta(days=50), good=False)
    damaged = stored(tmp_path, NOW - timedelta(days=60))
    (tmp_path / damaged / manifest.NAME).write_text(json.dumps({"format": 1}))
    for name in ("notes", "changes-1a2b3c"):
        (tmp_path / name).mkdir()
    assert retention.prune(Directory(tmp_path), retention.archive, NOW) == sorted([*old[1:], unfinished])
    assert {path.name for path in tmp_path.iterdir()} == {old[0], damaged, "notes", "changes-1a2b3c"}
    assert retention.prune(Directory(tmp_path), retention.archive, NOW) == []


def slices(path: Path, chain: str, *ends: datetime) -> None:
    """A chain with a slice up to each of these times, the first from the second before it."""
    (path / chain).mkdir()
    start = ends[0] - timedelta(seconds=1)
    for number, end in enumerate(ends):
        data = f"{number:08}-1a2b3c.bson.zst.age"
        (path / chain / data).write_bytes(b"x")
        one = Slice(chain, number, "movie_library", Timestamp(start, 9), Timestamp(end, 9), "", "", file=data, size=1)
        (path / chain / one.name).write_bytes(dump(one)[0])
        start = end


def numbers(path: Path, chain: str) -> list[int]:
    """Of the slices that are there with their data."""
    names = [file.name for file in (path / chain).iterdir()] if (path / chain).exists() else []
    assert sorted(name[:8] for name in names if name.endswith(".age")) == sorted(
        name[:8] for name in names if name.endswith(".json")
    )
    return sorted(int(name[:8]) for name in names if name.endswith(".json"))


OLD, CHAIN = "changes-20251129T080000Z-1a2b3c", "changes-20251129T100000Z-1a2b3c"
HOURS = [NOW.replace(hour=hour, minute=0) for hour in range(8, 13)]


def test_slices_stay_as_long_as_a_backup_needs_them(tmp_path: Path) -> None:
    """A chain from 8 to 10 o'clock, and one from 10 to 12, of which the oldest backup is of 11 o'clock."""
    stored(tmp_path, HOURS[3])
    slices(tmp_path, OLD, *HOURS[:2])
    slices(tmp_path, CHAIN, *HOURS[2:])
    assert retention.prune_changes(Directory(tmp_path)) == 3
    assert (numbers(tmp_path, OLD), numbers(tmp_path, CHAIN)) == ([], [1, 2])
    assert retention.prune_changes(Directory(tmp_path)) == 0
    assert not (tmp_path / OLD).exists()


def test_slices_without_a_backup_stay(tmp_path: Path) -> None:
    """Theirs is still being made, or fetched; and what is damaged stays for somebody to look at."""
    stored(tmp_path, HOURS[0])
    slices(tmp_path, CHAIN, *HOURS[2:])
    assert retention.prune_changes(Directory(tmp_path)) == 0
    stored(tmp_path, HOURS[4])
    (tmp_path / CHAIN / "00000000.json").write_text("{")
    assert retention.prune_changes(Directory(tmp_path)) == 0
    assert numbers(tmp_path, CHAIN) == [0, 1, 2]


def test_slices_that_an_intruder_adds_remove_no_others(tmp_path: Path) -> None:
    stored(tmp_path, HOURS[1])
    slices(tmp_path, CHAIN, *HOURS[:4], *[HOURS[0]] * 6)
    assert retention.prune_changes(Directory(tmp_path)) == 1
    assert numbers(tmp_path, CHAIN) == list(range(1, 10))


def test_fetched_slices_go_but_the_last_where_the_archive_goes_on(tmp_path: Path) -> None:
    slices(tmp_path, OLD, *HOURS[:2])
    slices(tmp_path, CHAIN, *HOURS[2:])
    prune = retention.prune_fetched_changes
    assert prune(Directory(tmp_path), {CHAIN: 0}, None) == 1
    assert (numbers(tmp_path, OLD), numbers(tmp_path, CHAIN)) == ([0, 1], [1, 2])
    assert prune(Directory(tmp_path), {OLD: 1, CHAIN: 2}, None) == 3
    assert (numbers(tmp_path, OLD), numbers(tmp_path, CHAIN)) == ([], [2])


def test_slices_do_not_fill_the_disk(tmp_path: Path) -> None:
    slices(tmp_path, OLD, *HOURS[:2])
    slices(tmp_path, CHAIN, *HOURS[2:])
    size = sum(file.stat().st_size for file in (tmp_path / CHAIN).iterdir())
    assert retention.prune_fetched_changes(Directory(tmp_path), {}, size) == 2
    assert retention.prune_fetched_changes(Directory(tmp_path), {}, 0) == 2
    assert (numbers(tmp_path, OLD), numbers(tmp_path, CHAIN)) == ([], [2])


def test_backups_and_slices_together_do_not_fill_the_disk(tmp_path: Path) -> None:
    """Backups go first; slices when only the last one is left. Both are said to have gone unfetched."""
    made = [stored(tmp_path, hour) for hour in HOURS[:3]]
    slices(tmp_path, CHAIN, *HOURS)

    def size(name: str) -> int:
        return sum(file.stat().st_size for file in (tmp_path / name).iterdir())

    def prune(most_bytes: int, *fetched: str) -> list[str]:
        words = [word for name in fetched for word in ("--fetched", name)]
        command = ["prune-backups", str(tmp_path), "--most-mb", "1", *words]
        with mock.patch.object(backup_upkeep, "MB", most_bytes):
            return CliRunner().invoke(main, command).output.splitlines()

    everything = sum(map(size, [*made, CHAIN]))
    assert prune(everything) == []
    assert prune(everything - 1) == [f"removed {made[0]}, perhaps before anybody had fetched it"]
    assert prune(everything, f"{CHAIN}/00000000") == ["removed 1 slices of changes"]
    both = size(made[2]) + size(CHAIN)
    assert prune(both - 1) == [
        f"removed {made[1]}, perhaps before anybody had fetched it",
        "removed 1 slices of changes, perhaps before anybody had fetched it",
    ]
    assert numbers(tmp_path, CHAIN) == [2, 3, 4]


def test_nothing_is_removed_when_something_cannot_be_read(tmp_path: Path) -> None:
    """All would look unfinished."""
    for number in range(3):
        stored(tmp_path, NOW - timedelta(days=100 + number))

    class Unreadable(Directory):
        def reader(self, backup: str, name: str):  # type: ignore[no-untyped-def]
            raise PermissionError(13, "Permission denied")

    with pytest.raises(BackupError, match="Permission denied"):
        retention.prune(Unreadable(tmp_path), retention.archive, NOW)
    assert len(list(tmp_path.iterdir())) == 3

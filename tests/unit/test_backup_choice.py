"""Which backups count: `latest` and the day's first. Whoever writes to a store may plant some."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import Timestamp

from app.db.backups import BackupError, Damaged, Directory, Manifest, find, full, ids, manifest, overview

NOW = datetime.now(UTC).replace(microsecond=0)
NOON = datetime(2025, 11, 29, 12, tzinfo=UTC)


def write(path: Path, at: datetime, *, of: datetime | None = None, name: str = "", complete: bool = True) -> str:
    """A backup, of another moment (`of`) than its name says if that is given."""
    name = name or ids.new_id(at, hourly=False)
    made = Manifest(name, "movie_library", Timestamp(of or at, 1), at, at, "8.0.0", [])
    (path / name).mkdir()
    (path / name / manifest.NAME).write_bytes(manifest.dump(made) if complete else b"")
    return name


@pytest.fixture
def store(tmp_path: Path) -> Directory:
    return Directory(tmp_path)


def test_latest_is_of_a_moment_that_has_come(tmp_path: Path, store: Directory) -> None:
    good = write(tmp_path, NOW)
    planted = write(tmp_path, datetime(2099, 1, 1, tzinfo=UTC))
    write(tmp_path, NOW - timedelta(hours=1), of=datetime(2099, 1, 1, tzinfo=UTC))
    write(tmp_path, NOW, name="20261399T996199Z-1a2b3c")
    assert find(store, "latest").id == good
    assert [one.id for one in overview(store) if one.manifest] == [good]
    with pytest.raises(Damaged, match="2099-01-01 00:00:00 UTC, which is yet to come"):
        find(store, planted)


def test_a_clock_may_be_a_little_behind(tmp_path: Path, store: Directory) -> None:
    name = write(tmp_path, NOW + timedelta(minutes=2))
    assert find(store, "latest").id == name


def hourly(store: Directory, at: datetime = NOON, *, lasting: bool = False) -> bool:
    return ids.is_hourly(full._new_id(store, at, lasting=lasting))


def test_the_others_of_a_day_are_hourly(tmp_path: Path, store: Directory) -> None:
    write(tmp_path, NOON - timedelta(hours=12, seconds=1))
    assert not hourly(store)
    write(tmp_path, NOON - timedelta(hours=12))
    assert hourly(store)
    assert not hourly(store, lasting=True)


def test_what_is_planted_is_no_first_of_a_day(tmp_path: Path, store: Directory) -> None:
    """Otherwise no backup of the day would stay."""
    write(tmp_path, NOON + timedelta(hours=1))
    write(tmp_path, NOON - timedelta(hours=1), of=NOON - timedelta(days=1))
    write(tmp_path, NOON - timedelta(minutes=1), complete=False)
    assert not hourly(store)


def test_what_has_failed_for_hours_does_not_pile_up(tmp_path: Path, store: Directory) -> None:
    """Where nothing can be removed: until one is complete again, which shows that the next will be."""
    write(tmp_path, NOON - timedelta(hours=6))
    write(tmp_path, NOON - timedelta(hours=1), complete=False)
    assert not hourly(store, lasting=True)
    write(tmp_path, NOON - timedelta(hours=3), complete=False)
    assert hourly(store)
    assert hourly(store, lasting=True)
    write(tmp_path, NOON - timedelta(minutes=10), name=ids.new_id(NOON - timedelta(minutes=10), hourly=True))
    assert not hourly(store, lasting=True)


def test_a_day_that_begins_with_failures_has_one_that_stays(tmp_path: Path, store: Directory) -> None:
    write(tmp_path, NOON - timedelta(hours=3), complete=False)
    assert hourly(store)
    write(tmp_path, NOON - timedelta(minutes=10), name=ids.new_id(NOON - timedelta(minutes=10), hourly=True))
    assert not hourly(store)


def test_a_newer_format_is_named(tmp_path: Path, store: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "FORMAT", 3)
    name = write(tmp_path, NOON)
    monkeypatch.undo()
    with pytest.raises(BackupError, match="has format 3; this release reads 1 and 2"):
        find(store, name)

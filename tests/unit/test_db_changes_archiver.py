"""The archiver's full backup of a new chain, without a database."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bson import Timestamp

from app.db.backups import Directory, Manifest, Pace, ids, manifest
from app.db.backups.access import UNKNOWN
from app.db.backups.archiving import archiver, interval
from app.db.backups.changes.chain import Slice, dump

LONG = 30.0  # seconds, far more than the threads need


@pytest.fixture
def archive(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change streams without changes, each of which begins later than the one before."""
    seconds = iter(range(1000, 2000))

    def changes(_token: str, _wait: float) -> SimpleNamespace:
        token = f"82{next(seconds):08X}00000001"
        return SimpleNamespace(token=token, next=lambda: None, close=lambda: None)

    monkeypatch.setattr(archiver, "get_database", lambda: SimpleNamespace(name="movie_library"))
    monkeypatch.setattr(archiver, "Changes", changes)


@pytest.mark.usefixtures("archive")
def test_a_backup_from_before_a_gap_does_not_close_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second chain begins while the first one's full backup is being made."""
    taking, go_on, closed = threading.Event(), threading.Event(), threading.Event()
    asked: list[Timestamp] = []

    def take(*_: Any, not_before: Timestamp, lasting: bool, **__: Any) -> SimpleNamespace:
        assert lasting, "what comes after the gap could be restored for a day only"
        asked.append(not_before)
        taking.set()
        assert go_on.wait(LONG)
        return SimpleNamespace(id="", cluster_time=not_before)

    def note(state: archiver.State) -> None:
        states.append(state)
        if state.gap is None and go_on.is_set():
            closed.set()

    states: list[archiver.State] = []
    monkeypatch.setattr(archiver, "take", take)
    stop = threading.Event()
    one = archiver._Archiver(Directory(tmp_path), [], stop, 1, Pace(), UNKNOWN, note, lambda _: None)
    one._begin()
    assert taking.wait(LONG)
    one._begin()
    go_on.set()
    assert closed.wait(LONG)
    one.close()
    first, second = asked
    assert first < second
    gap = next(state.gap for state in reversed(states) if state.gap is not None)
    assert gap[1] == second.as_datetime()


@pytest.mark.usefixtures("archive")
@pytest.mark.parametrize("hourly", [True, False])
def test_a_chain_that_goes_on_has_a_backup_that_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, hourly: bool
) -> None:
    """The archiver ended before its own was complete; meanwhile the timer has made one."""
    at = datetime(2025, 11, 29, 12, tzinfo=UTC)
    start = Timestamp(at, 1)
    one = Slice("changes-1", 0, "movie_library", start, start, "", "")
    made = Manifest(ids.new_id(at, hourly=hourly), "movie_library", Timestamp(at, 2), at, at, "8.0.0", [])
    for name, file, content in (("changes-1", one.name, dump(one)[0]), (made.id, manifest.NAME, manifest.dump(made))):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(content)
    asked: list[Timestamp] = []

    def take(*_: Any, not_before: Timestamp, **__: Any) -> SimpleNamespace:
        asked.append(not_before)
        return SimpleNamespace(id="", cluster_time=not_before)

    monkeypatch.setattr(archiver, "take", take)
    resumed = archiver._Archiver(
        Directory(tmp_path), [], threading.Event(), 1, Pace(), UNKNOWN, lambda _: None, lambda _: None
    )
    resumed._resume()
    if resumed._full is not None:
        resumed._full.join(LONG)
    assert asked == ([start] if hourly else [])
    resumed.close()


def test_an_idle_slice_takes_no_longer_than_its_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last wait for a change belongs to it."""
    clock = [1000.0]

    def wait() -> None:
        clock[0] += 5

    monkeypatch.setattr(interval, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    changes: Any = SimpleNamespace(next=wait)
    assert interval.Interval(changes, 300, 5, lambda: False).next() is None
    assert 1290 < clock[0] <= 1300

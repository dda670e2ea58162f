"""How backups are doing: what is written down, and what counts as a problem."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bson import Timestamp

from app.db.backups import Manifest, status
from app.db.backups.status import Status

NOW = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
WELL = Status(
    backup="20261129T120000Z-1a2b3c",
    at=NOW - timedelta(minutes=30),
    first=NOW - timedelta(days=100),
    archives_changes=True,
    changes_until=NOW - timedelta(minutes=4),
    verified=NOW - timedelta(days=6),
)
HOURS, MINUTES, DAYS = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, ""),
        ({"at": None}, "no backup has been made"),
        ({"at": None, "failure": "no space"}, "no backup has been made: no space"),
        ({"at": NOW - 2 * HOURS}, ""),
        ({"at": NOW - 2 * HOURS - MINUTES}, "the last backup is of 2026-11-29 10:29 UTC"),
        ({"at": NOW - 3 * HOURS, "failure": "no space"}, "the last backup is of 2026-11-29 09:30 UTC: no space"),
        ({"failure": "one failure is no problem yet"}, ""),
        ({"changes_until": NOW - 21 * MINUTES}, "changes are archived up to 2026-11-29 12:09 UTC only"),
        ({"changes_until": None}, "changes are archived not at all"),
        ({"changes_until": None, "archives_changes": False}, "changes are archived not at all"),
        ({"changes_until": None, "archives_changes": False, "first": NOW - 20 * MINUTES, "verified": None}, ""),
        ({"gap": "a to b (c)"}, "changes are missing: a to b (c)"),
        ({"verified": NOW - 9 * DAYS}, "no backup has been verified since 2026-11-20 12:30 UTC"),
        ({"verified": None}, "no backup has ever been verified"),
        ({"verified": None, "first": NOW - 8 * DAYS}, ""),
    ],
)
def test_problems(change: dict[str, object], problem: str) -> None:
    assert replace(WELL, **change).problems(NOW) == ([problem] if problem else [])  # type: ignore[arg-type]


def test_several_may_write(tmp_path: Path) -> None:
    """The timer's backup and the archiver's."""
    full = tmp_path / status.FULL
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: status.note_backup(full, made(number)), range(100)))
    assert status.read(tmp_path).backup
    assert [file.name for file in tmp_path.iterdir()] == [status.FULL]


def made(number: int) -> Manifest:
    at = NOW + timedelta(hours=number)
    return Manifest(f"{at:%Y%m%dT%H%M%SZ}-1a2b3c", "movie_library", Timestamp(at, 1), at, at, "8.0.0", [])


def test_what_is_written_is_read(tmp_path: Path) -> None:
    full = tmp_path / status.FULL
    status.note_failure(full, "no space")
    assert status.read(tmp_path).problems(NOW) == ["no backup has been made: no space"]
    status.note_backup(full, made(0))
    status.note_backup(full, made(1))
    status.note_failure(full, "no space")
    (tmp_path / status.CHANGES).write_text(
        json.dumps({"chain": "x", "covered_until": "2026-11-29T12:34:56+00:00", "slice": 3, "gap": None})
    )
    status.note_verified(tmp_path / status.VERIFIED, made(1).id)
    found = status.read(tmp_path)
    assert (found.backup, found.at, found.first) == (made(1).id, NOW + HOURS, NOW)
    assert (found.failure, found.changes_until) == ("no space", NOW.replace(minute=34, second=56))
    assert found.verified_backup == made(1).id
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("[sv]*.json")} == {0o644}
    status.note_backup(full, made(2))
    assert status.read(tmp_path).failure == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"at": 5, "bytes": "x", "gap": 1, "covered_until": []}', "\x00"])
def test_what_is_damaged_counts_as_never_written(tmp_path: Path, text: str) -> None:
    for name in status.FILES:
        (tmp_path / name).write_text(text)
    assert status.read(tmp_path).problems(NOW) == ["no backup has been made"]
    status.note_backup(tmp_path / status.FULL, made(0))
    assert status.read(tmp_path).at == NOW


def test_a_gap_is_named() -> None:
    gap = {"from": "2026-11-29T12:00:00+00:00", "to": "2026-11-29T12:10:00+00:00", "reason": "the oplog was too short"}
    found = status.parse({status.CHANGES: json.dumps({"gap": gap})})
    assert found.gap == f"{gap['from']} to {gap['to']} (the oplog was too short)"

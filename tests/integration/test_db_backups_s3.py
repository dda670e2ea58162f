"""Backups in S3 by the command line: complete or not listed as such, whatever S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backup_library import new_key, run, succeed

from app.db.backups import ids
from app.db.backups.stores import s3 as s3_store
from ops.local_cluster import LocalCluster
from tests.s3 import BUCKET, FaultyS3, cut_answer, error

STORE = f"s3://{BUCKET}/mongodb"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyS3]:
    monkeypatch.setattr(s3_store, "ATTEMPTS", 2)
    monkeypatch.setattr(s3_store, "FIRST_WAIT_S", 0)
    with FaultyS3() as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def test_a_backup_in_s3(s3: FaultyS3, library: LocalCluster, tmp_path: Path) -> None:
    """Its files are read as they were written first."""
    key, public = new_key(tmp_path)
    backup = succeed(library, "backup", "--to", STORE, "--public-key", public)
    s3.client.put_object(Bucket=BUCKET, Key=f"mongodb/{backup}/manifest.json", Body=b"forged")
    s3.client.delete_object(Bucket=BUCKET, Key=f"mongodb/{backup}/movies.bson.zst.age")
    assert "complete" in succeed(None, "backups", STORE)
    assert "is whole" in succeed(None, "verify-backup", STORE, "latest", "--key", key)
    s3.matches, s3.always = reads, cut_answer
    result = run(None, "verify-backup", STORE, backup, "--key", key)
    assert (result.exit_code, "S3 cuts the connection" in result.output) == (1, True), result.output
    assert "damaged" not in result.output


def test_the_others_of_a_day_are_hourly(s3: FaultyS3, library: LocalCluster, tmp_path: Path) -> None:
    """The first complete one isn't; in a day around midnight, both may be their day's first."""
    key, public = new_key(tmp_path)
    command = ("backup", "--to", STORE, "--public-key", public)
    s3.matches, s3.always = lambda environ: environ["PATH_INFO"].endswith("manifest.json"), error(500)
    assert run(library, *command).exit_code == 1
    s3.always = None
    first, second = (succeed(library, *command) for _ in range(2))
    assert (ids.is_hourly(first), ids.is_hourly(second)) == (False, first[:8] == second[:8])
    place = "mongodb/hourly" if ids.is_hourly(second) else "mongodb"
    s3.client.head_object(Bucket=BUCKET, Key=f"{place}/{second}/manifest.json")
    assert f"{second} is whole" in succeed(None, "verify-backup", STORE, second, "--key", key)


def reads(environ: dict[str, Any]) -> bool:
    return environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(".age")


def test_what_could_not_be_written_is_no_backup(s3: FaultyS3, library: LocalCluster, tmp_path: Path) -> None:
    key, public = new_key(tmp_path)
    s3.matches, s3.always = lambda environ: environ["PATH_INFO"].endswith("manifest.json"), error(500)
    result = run(library, "backup", "--to", STORE, "--public-key", public)
    assert (result.exit_code, "can't be written: s3://" in result.output) == (1, True), result.output
    s3.matches = lambda environ: environ["REQUEST_METHOD"] != "GET"
    assert run(library, "backup", "--to", STORE, "--public-key", public).exit_code == 1
    s3.always = None
    assert "NOT COMPLETE" in succeed(None, "backups", STORE)
    assert run(None, "verify-backup", STORE, "latest", "--key", key).exit_code == 1
    result = run(library, "backup", "--to", "s3://another/mongodb", "--public-key", public)
    assert (result.exit_code, "there is no such bucket" in result.output) == (1, True), result.output

"""The store in S3: files arrive as they are, or not at all, and errors say what is wrong."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.db import backups
from app.db.backups.stores import s3 as s3_store
from tests.s3 import BUCKET, FaultyS3, cut_answer, cut_request, error

WHERE = f"s3://{BUCKET}/some/prefix"
BACKUP, NAME = "20261129T123456Z-1a2b3c", "movies.bson.zst.age"
KEY = f"some/prefix/{BACKUP}/{NAME}"
LARGE = os.urandom(2 * 5 * 2**20 + 12345)


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyS3]:
    with FaultyS3() as server:
        yield server


@pytest.fixture
def s3(server: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> FaultyS3:
    server.empty()
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(s3_store, "PART", 5 * 2**20)  # S3's smallest
    monkeypatch.setattr(s3_store, "FIRST_WAIT_S", 0)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0)
    return server


def write(content: bytes, name: str = NAME) -> None:
    with backups.open_store(WHERE).writer(BACKUP, name) as file:
        for start in range(0, len(content), 100_000):
            file.write(content[start : start + 100_000])


def read(*, originals: bool = False) -> bytes:
    with backups.open_store(WHERE, originals=originals).reader(BACKUP, NAME) as file:
        return file.read()


@pytest.mark.parametrize("originals", [False, True])
@pytest.mark.parametrize("content", [b"", b"x", LARGE[: 5 * 2**20], LARGE], ids=["empty", "small", "one part", "parts"])
def test_files_are_as_they_were_written(s3: FaultyS3, content: bytes, originals: bool) -> None:
    write(content)
    store = backups.open_store(WHERE, originals=originals)
    store.publish(BACKUP, "manifest.json", b"{}")
    assert read(originals=originals) == content
    assert store.backups() == [BACKUP]
    assert store.sizes(BACKUP) == {NAME: len(content), "manifest.json": 2}
    assert store.sizes("another") == {}
    with pytest.raises(FileNotFoundError), store.reader(BACKUP, "another"):
        pass


def test_originals_are_what_was_written_first(s3: FaultyS3) -> None:
    """Whatever somebody with the hosts' rights, or more than those, writes over it or deletes."""
    write(b"original")
    write(b"forged")
    s3.client.put_object(Bucket=BUCKET, Key=f"{KEY}.another", Body=b"longer name")
    s3.client.delete_object(Bucket=BUCKET, Key=KEY)
    store = backups.open_store(WHERE, originals=True)
    assert (store.backups(), read(originals=True)) == ([BACKUP], b"original")
    assert store.sizes(BACKUP)[NAME] == len(b"original")
    with pytest.raises(FileNotFoundError):
        read()


HOURLY = "20261129T133456Z-hourly-1a2b3c"


@pytest.fixture
def locked(s3: FaultyS3) -> str:
    """The name of a store in a bucket that locks everything for 35 days."""
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 35}}
    s3.client.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    s3.client.put_object_lock_configuration(
        Bucket="locked", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention}
    )
    return "s3://locked/some/prefix"


def test_hourly_backups_are_elsewhere_and_locked_for_a_day(s3: FaultyS3, locked: str) -> None:
    """What says so is looked at in requests: moto doesn't lock what comes in parts."""
    asked: dict[str, tuple[str, int]] = {}

    def note(environ: dict[str, Any]) -> bool:
        if mode := environ.get("HTTP_X_AMZ_OBJECT_LOCK_MODE"):
            until = datetime.fromisoformat(environ["HTTP_X_AMZ_OBJECT_LOCK_RETAIN_UNTIL_DATE"])
            asked[environ["PATH_INFO"]] = mode, round((until - datetime.now(UTC)) / timedelta(days=1))
        return False

    s3.matches = note
    store = backups.open_store(locked)
    for backup in (BACKUP, HOURLY, "changes-1"):
        for name, content in (("large", LARGE), ("small", b"x")):
            with store.writer(backup, name) as file:
                file.write(content)
        store.publish(backup, "manifest.json", b"{}")
    start = f"/locked/some/prefix/hourly/{HOURLY}/"
    assert asked == {start + name: ("COMPLIANCE", 1) for name in ("large", "small", "manifest.json")}
    for originals in (False, True):
        store = backups.open_store(locked, originals=originals)
        assert store.backups() == [BACKUP, HOURLY, "changes-1"]
        assert store.sizes(HOURLY)["large"] == len(LARGE)
        with store.reader(HOURLY, "small") as file:
            assert file.read() == b"x"


def holds(s3: FaultyS3, backup: str) -> dict[str, list[bool]]:
    """Which versions are held, from the oldest one on, by name."""
    found: dict[str, list[bool]] = {}
    for entry in reversed(s3.client.list_object_versions(Bucket="locked")["Versions"]):
        if f"/{backup}/" in entry["Key"]:
            which = {"Bucket": "locked", "Key": entry["Key"], "VersionId": entry["VersionId"]}
            held = s3.client.head_object(**which).get("ObjectLockLegalHoldStatus") == "ON"
            found.setdefault(entry["Key"].rpartition("/")[2], []).append(held)
    return found


def test_one_backup_is_held(s3: FaultyS3, locked: str) -> None:
    """As it was first written, also when it is interrupted."""
    store = backups.open_store(locked, originals=True)
    for backup in (BACKUP, HOURLY):
        for name in ("manifest.json", "movies", "users", "users"):
            store.publish(backup, name, b"{}")
    kept = {"manifest.json": [True], "movies": [True], "users": [True, False]}
    free = {name: [False] * len(versions) for name, versions in kept.items()}
    store.hold(BACKUP)
    s3.client.delete_object(Bucket="locked", Key=f"some/prefix/{BACKUP}/users")
    assert (holds(s3, BACKUP), holds(s3, HOURLY)) == (kept, free)
    for requests in (1, 2, 4, 5):  # before it is interrupted; the third one is a read
        changes = itertools.count()
        s3.always = error(403, "AccessDenied")
        s3.matches = lambda environ: environ["REQUEST_METHOD"] == "PUT" and next(changes) >= requests  # noqa: B023 - used within its round of the loop
        with pytest.raises(OSError, match="S3 denies PutObjectLegalHold"):
            store.hold(HOURLY)
        s3.always = None
        assert not requests >= 3 or holds(s3, HOURLY) == kept
        assert requests >= 3 or holds(s3, BACKUP) == kept
    for _ in range(2):
        store.hold(HOURLY)
        assert (holds(s3, BACKUP), holds(s3, HOURLY)) == (free, kept)


def test_the_hold_of_a_newer_backup_stays(s3: FaultyS3, locked: str) -> None:
    """Somebody may verify an older one, too."""
    store = backups.open_store(locked, originals=True)
    for backup in (BACKUP, HOURLY):
        store.publish(backup, "manifest.json", b"{}")
    for backup in (HOURLY, BACKUP):
        store.hold(backup)
    assert holds(s3, HOURLY) == holds(s3, BACKUP) == {"manifest.json": [True]}
    store.hold(HOURLY)
    assert holds(s3, BACKUP) == {"manifest.json": [False]}


def test_without_locks_nothing_is_held(s3: FaultyS3) -> None:
    store = backups.open_store(WHERE, originals=True)
    store.publish(HOURLY, "manifest.json", b"{}")
    store.hold(HOURLY)


@pytest.mark.parametrize("fault", [error(500), error(503, "SlowDown"), cut_request, cut_answer])
@pytest.mark.parametrize("content", [b"small", LARGE], ids=["small", "parts"])
def test_passing_faults_go_unnoticed(s3: FaultyS3, fault: Any, content: bytes) -> None:
    """In every request: before each one that is served, one fails."""
    requests: set[str] = set()

    def first_time(environ: dict[str, Any]) -> bool:
        request = f"{environ['REQUEST_METHOD']} {environ['QUERY_STRING']}"
        return request not in requests and not requests.add(request)  # type: ignore[func-returns-value]

    s3.matches, s3.always = first_time, fault
    write(content)
    assert read() == content
    assert len(requests) >= 2


def test_reading_goes_on_where_the_connection_was_cut(s3: FaultyS3) -> None:
    write(LARGE)
    before = len(s3.requests)
    s3.faults = [cut_answer, error(500), cut_answer, cut_answer]
    assert read() == LARGE
    assert len(s3.requests) == before + 5


def test_reading_ends_when_the_connection_is_always_cut(s3: FaultyS3) -> None:
    write(b"x" * 100)
    s3.always = cut_request
    with pytest.raises(OSError, match=KEY):
        read()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (error(500), "InternalError"),
        (error(403, "AccessDenied"), r"S3 denies PutObject \(AccessDenied\)"),
        (cut_request, "Connection was closed"),
    ],
)
def test_lasting_faults_are_named(s3: FaultyS3, fault: Any, message: str) -> None:
    s3.always = fault
    with pytest.raises(OSError, match=message) as raised:
        write(b"small")
    assert raised.value.strerror.startswith(f"s3://{BUCKET}/{KEY}")
    with pytest.raises(OSError, match=f"s3://{BUCKET}/some/prefix/"):
        backups.open_store(WHERE).backups()


def test_a_file_that_is_not_completed_is_not_there(s3: FaultyS3) -> None:
    """Neither its parts, which would cost money."""
    with contextlib.suppress(ZeroDivisionError), backups.open_store(WHERE).writer(BACKUP, NAME) as file:
        file.write(LARGE)
        raise ZeroDivisionError
    assert any(request.startswith("DELETE") for request in s3.requests)
    s3.matches, s3.always = lambda environ: "partNumber=2" in environ["QUERY_STRING"], error(500)
    with pytest.raises(OSError, match="InternalError"):
        write(LARGE)
    assert "Contents" not in s3.client.list_objects_v2(Bucket=BUCKET)
    assert "Uploads" not in s3.client.list_multipart_uploads(Bucket=BUCKET)


def test_a_missing_bucket_is_named(s3: FaultyS3) -> None:
    store = backups.open_store("s3://another/prefix")
    with pytest.raises(OSError, match="there is no such bucket") as raised:
        store.publish(BACKUP, NAME, b"")
    assert not isinstance(raised.value, FileNotFoundError)
    with pytest.raises(backups.BackupError, match="there is no such bucket"):
        list(backups.overview(store))


def test_no_credentials(s3: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(OSError, match="Unable to locate credentials"):
        backups.open_store(WHERE).backups()


@pytest.mark.parametrize(
    "where",
    [
        "s3://",
        "s3://backups",
        "s3://backups/",
        "s3://UPPER/a",
        "http://a/b",
        "s3://a/b",
        "s3://abc/../d",
        "",
        "/nowhere",
    ],
)
def test_what_is_no_store_is_refused(where: str) -> None:
    with pytest.raises(backups.BackupError, match=r"a store is a directory|no such directory"):
        backups.open_store(where)

"""The store in S3: files arrive as they are, or not at all, and errors say what is wrong."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import pytest

from app.db import backups
from app.db.backups import s3 as s3_store
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

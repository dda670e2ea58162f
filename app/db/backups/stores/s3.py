"""A `Store` in S3, with keys `<prefix>/<backup>/<name>`. Nothing here deletes anything.

The bucket's life cycle does. It knows prefixes and ages only, so hourly backups are at
`<prefix>/hourly/<backup>/<name>`, and locked for a day; everything else is locked as the bucket says.

Credentials and the region are found as AWS's own tools find them; on EC2 they are the instance's.
"""

import errno
import io
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from app.db.backups.ids import is_hourly, is_id, moment

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import CompletedPartTypeDef

log = logging.getLogger(__name__)

# S3 takes 10,000 parts a file, so 156 GiB. Each collection that is being read has one part in memory.
PART = 16 * 2**20
# Of a request. Waits double up to 20 s, so that it fails after about a minute.
ATTEMPTS = 8
# To read on after a cut connection, without a byte in between; as ATTEMPTS.
READS, FIRST_WAIT_S = 6, 0.5

#: How long hourly backups are locked: terraform/modules/backup_bucket removes them no sooner.
HOURLY_LOCK = timedelta(days=1)
_HOURLY = "hourly"
_NO_LOCK = "ObjectLockConfigurationNotFoundError"
_DENIED = ("403", "AccessDenied", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch")


@contextmanager
def _os_errors(where: str) -> Iterator[None]:
    """Turns errors of boto3 into OSError, with a message for operators in `strerror`."""
    try:
        yield
    except ClientError as error:
        code, operation = error.response["Error"].get("Code", ""), error.operation_name
        if code == "NoSuchKey":
            raise FileNotFoundError(errno.ENOENT, f"{where} doesn't exist") from error
        if code == "NoSuchBucket":
            raise OSError(errno.EIO, f"{where}: there is no such bucket") from error
        if code in _DENIED:
            raise PermissionError(errno.EACCES, f"{where}: S3 denies {operation} ({code})") from error
        raise OSError(errno.EIO, f"{where}: {error}") from error
    except BotoCoreError as error:
        raise OSError(errno.EIO, f"{where}: {error}") from error


class S3:
    """A bucket's keys below a prefix. With `originals`, the first version of each key is read, even of deleted ones."""

    def __init__(self, bucket: str, prefix: str, *, originals: bool = False) -> None:
        self._bucket, self._prefix, self._originals = bucket, prefix, originals
        settings = Config(
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            connect_timeout=10,
            read_timeout=60,
            tcp_keepalive=True,
        )
        with _os_errors(f"s3://{bucket}"):
            # Here, because clients are thread-safe and making them isn't.
            self._s3: S3Client = boto3.Session().client("s3", config=settings)

    def backups(self) -> list[str]:
        found = {*self._directories(f"{self._prefix}/"), *self._directories(f"{self._prefix}/{_HOURLY}/")}
        return sorted(found - {_HOURLY})

    def _directories(self, start: str) -> Iterator[str]:
        with _os_errors(f"s3://{self._bucket}/{start}"):
            for page in self._pages(start):
                for entry in page.get("CommonPrefixes", []):
                    yield entry["Prefix"].removeprefix(start).rstrip("/")

    def sizes(self, backup: str) -> dict[str, int]:
        start = self._key(backup, "")
        with _os_errors(f"s3://{self._bucket}/{start}"):
            return {key.removeprefix(start): entry["Size"] for key, entry in self._entries(start).items()}

    @contextmanager
    def writer(self, backup: str, name: str) -> Iterator[BinaryIO]:
        upload = _Upload(self._s3, self._bucket, self._key(backup, name), self._lock(backup))
        try:
            yield cast(BinaryIO, upload)
            upload.complete()
        except BaseException:
            upload.abort()
            raise

    @contextmanager
    def reader(self, backup: str, name: str) -> Iterator[BinaryIO]:
        key = self._key(backup, name)
        which: dict[str, Any] = {"Bucket": self._bucket, "Key": key}
        if self._originals:
            with _os_errors(f"s3://{self._bucket}/{key}"):
                entry = self._entries(key).get(key)
            if entry is None:
                raise FileNotFoundError(errno.ENOENT, f"s3://{self._bucket}/{key} doesn't exist")
            which["VersionId"] = entry["VersionId"]
        with io.BufferedReader(_Download(self._s3, which), 2**16) as file:
            yield file

    def publish(self, backup: str, name: str, content: bytes) -> None:
        key = self._key(backup, name)
        with _os_errors(f"s3://{self._bucket}/{key}"):
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=content, ChecksumAlgorithm="CRC32", **self._lock(backup)
            )

    def discard(self, backup: str) -> None:
        """The bucket's life cycle removes it, as it does every backup."""

    def _key(self, backup: str, name: str) -> str:
        return f"{self._prefix}/{_HOURLY}/{backup}/{name}" if is_hourly(backup) else f"{self._prefix}/{backup}/{name}"

    def hold(self, backup: str) -> None:
        """By a legal hold on what was first written of it, which stays then, whatever is removed or expires.

        Newer ones stay held, too. For stores of `originals`, and buckets with locks; in others nothing is ever held.
        """
        if not self._lock_mode:
            return
        self._set_hold(backup, "ON")
        for other in self.backups():
            if is_id(other) and moment(other) < moment(backup) and self._is_held(other):
                self._set_hold(other, "OFF")

    def _is_held(self, backup: str) -> bool:
        start = self._key(backup, "")
        with _os_errors(f"s3://{self._bucket}/{start}"):
            for key, entry in sorted(self._entries(start).items()):
                answer = self._s3.head_object(Bucket=self._bucket, Key=key, VersionId=entry["VersionId"])
                return answer.get("ObjectLockLegalHoldStatus") == "ON"
        return False

    def _set_hold(self, backup: str, status: Literal["ON", "OFF"]) -> None:
        """The first file's is the first to begin and the last to end, so that what was interrupted is found again."""
        start = self._key(backup, "")
        with _os_errors(f"s3://{self._bucket}/{start}"):
            for key, entry in sorted(self._entries(start).items(), reverse=status == "OFF"):
                self._s3.put_object_legal_hold(
                    Bucket=self._bucket, Key=key, VersionId=entry["VersionId"], LegalHold={"Status": status}
                )

    @cached_property
    def _lock_mode(self) -> str:
        """The mode in which the bucket locks by default; empty if it doesn't."""
        with _os_errors(f"s3://{self._bucket}"):
            try:
                found = self._s3.get_object_lock_configuration(Bucket=self._bucket)["ObjectLockConfiguration"]
            except ClientError as error:
                if error.response["Error"].get("Code") == _NO_LOCK:
                    return ""
                raise
        return found.get("Rule", {}).get("DefaultRetention", {}).get("Mode", "")

    def _lock(self, backup: str) -> dict[str, Any]:
        """Arguments of a new file for its lock. Raises OSError."""
        if not is_hourly(backup) or not self._lock_mode:
            return {}
        return {"ObjectLockMode": self._lock_mode, "ObjectLockRetainUntilDate": datetime.now(UTC) + HOURLY_LOCK}

    def _pages(self, start: str) -> Iterator[dict[str, Any]]:
        operation = "list_object_versions" if self._originals else "list_objects_v2"
        pages = self._s3.get_paginator(operation)  # type: ignore[call-overload]  # overloads want a literal
        yield from pages.paginate(Bucket=self._bucket, Prefix=start, Delimiter="/")

    def _entries(self, start: str) -> dict[str, dict[str, Any]]:
        """What S3 says of each key that starts so."""
        entries = "Versions" if self._originals else "Contents"
        # S3 lists a key's versions from the newest to the oldest: the first one written is what stays here.
        return {entry["Key"]: entry for page in self._pages(start) for entry in page.get(entries, [])}


class _Upload:
    """A file to write: one request if it is small, otherwise a multipart upload. S3 checks each part's checksum."""

    def __init__(self, s3: "S3Client", bucket: str, key: str, lock: dict[str, Any]) -> None:
        self._s3, self._bucket, self._key, self._lock = s3, bucket, key, lock
        self._where = f"s3://{bucket}/{key}"
        self._buffer = bytearray()
        self._upload = ""
        self._parts: list[CompletedPartTypeDef] = []

    def write(self, data: bytes) -> int:
        self._buffer += data
        while len(self._buffer) >= PART:
            self._send(bytes(self._buffer[:PART]))
            del self._buffer[:PART]
        return len(data)

    def _send(self, part: bytes) -> None:
        with _os_errors(self._where):
            if not self._upload:
                made = self._s3.create_multipart_upload(
                    Bucket=self._bucket, Key=self._key, ChecksumAlgorithm="CRC32", **self._lock
                )
                self._upload = made["UploadId"]
            number = len(self._parts) + 1
            answer = self._s3.upload_part(
                Bucket=self._bucket,
                Key=self._key,
                UploadId=self._upload,
                PartNumber=number,
                Body=part,
                ChecksumAlgorithm="CRC32",
            )
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})

    def complete(self) -> None:
        rest = bytes(self._buffer)
        with _os_errors(self._where):
            if not self._upload:
                self._s3.put_object(
                    Bucket=self._bucket, Key=self._key, Body=rest, ChecksumAlgorithm="CRC32", **self._lock
                )
                return
            if rest:
                self._send(rest)
            self._s3.complete_multipart_upload(
                Bucket=self._bucket, Key=self._key, UploadId=self._upload, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        if not self._upload:
            return
        try:
            self._s3.abort_multipart_upload(Bucket=self._bucket, Key=self._key, UploadId=self._upload)
        except (BotoCoreError, ClientError) as error:
            log.warning("%s: the bucket's life cycle will remove the parts: %s", self._where, error)


class _Download(io.RawIOBase):
    """A file to read, which goes on after a cut connection."""

    def __init__(self, s3: "S3Client", which: dict[str, Any]) -> None:
        self._s3, self._which = s3, which
        self._where = f"s3://{which['Bucket']}/{which['Key']}"
        with _os_errors(self._where):
            answer = s3.get_object(**which)
        self._body, self._size, self._position = answer["Body"], answer["ContentLength"], 0
        self._same: dict[str, Any] = {"IfMatch": answer["ETag"]}

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer)) if self._position < self._size else b""
        self._position += len(data)
        buffer[: len(data)] = data
        return len(data)

    def _read(self, size: int) -> bytes:
        for attempt in range(READS):
            try:
                return self._body.read(size)
            except BotoCoreError as error:
                log.warning("%s is read on from byte %d: %s", self._where, self._position, error)
                time.sleep(FIRST_WAIT_S * 2**attempt)  # botocore repeats requests, not the reading of a body
                self._read_on()
        raise OSError(errno.EIO, f"{self._where}: S3 cuts the connection at byte {self._position:,}")

    def _read_on(self) -> None:
        self._body.close()
        with _os_errors(self._where):
            self._body = self._s3.get_object(**self._which, **self._same, Range=f"bytes={self._position}-")["Body"]

    def close(self) -> None:
        self._body.close()
        super().close()

"""Where backups are kept. Other modules know only `Store`, so that it can be something else than a directory."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from app.db.backups.errors import BackupError

_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/([A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)/?")


class Store(Protocol):
    """Files by backup and name. All methods raise OSError."""

    def backups(self) -> list[str]:
        """The ids of backups, complete or not."""

    def sizes(self, backup: str) -> dict[str, int]:
        """The sizes in bytes of a backup's files by name; empty if there is no such backup."""

    def writer(self, backup: str, name: str) -> AbstractContextManager[BinaryIO]:
        """A new file, which replaces one of that name. Without an error it is durable afterwards."""

    def reader(self, backup: str, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to read from the beginning."""

    def publish(self, backup: str, name: str, content: bytes) -> None:
        """Write a small file that is either there as a whole or not at all."""

    def discard(self, backup: str) -> None:
        """Remove what was written of a backup that failed, where that is allowed."""

    def hold(self, backup: str) -> None:
        """Keep a backup until a newer one is held, however old it grows."""


def open_store(where: str, *, originals: bool = False) -> Store:
    """The store at a directory or `s3://bucket/prefix`. Raises BackupError.

    `originals`: reads each file as it was first written, where a store keeps what was written over it, as S3 does.
    """
    if "://" in where:
        return _open_s3(where, originals=originals)
    if not where or not Path(where).is_dir():
        raise BackupError(f"{where!r}: there is no such directory")
    return Directory(Path(where))


def _open_s3(where: str, *, originals: bool) -> Store:
    from app.db.backups.stores.s3 import S3  # noqa: PLC0415 - takes 0.2 s, and other commands don't need it

    if not (parts := _S3.fullmatch(where)):
        raise BackupError(f"{where}: a store is a directory or s3://bucket/prefix")
    try:
        return S3(*parts.groups(), originals=originals)
    except OSError as error:
        raise BackupError(str(error.strerror)) from error


class Directory:
    """A `Store` with a directory for each backup."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def backups(self) -> list[str]:
        return sorted(entry.name for entry in self._path.iterdir() if entry.is_dir())

    def sizes(self, backup: str) -> dict[str, int]:
        directory = self._path / backup
        if not directory.is_dir():
            return {}
        return {entry.name: entry.stat().st_size for entry in directory.iterdir() if entry.is_file()}

    @contextmanager
    def writer(self, backup: str, name: str) -> Iterator[BinaryIO]:
        (self._path / backup).mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._path / backup / name).open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def reader(self, backup: str, name: str) -> Iterator[BinaryIO]:
        with (self._path / backup / name).open("rb") as file:
            yield file

    def publish(self, backup: str, name: str, content: bytes) -> None:
        part = f"{name}.part"
        with self.writer(backup, part) as file:
            file.write(content)
        directory = self._path / backup
        (directory / part).replace(directory / name)
        for path in (directory, self._path):
            _make_durable(path)

    def remove(self, backup: str, name: str) -> None:
        """Remove a file, and the backup's directory if it was the last one. Raises OSError."""
        (self._path / backup / name).unlink()
        if not any((self._path / backup).iterdir()):
            (self._path / backup).rmdir()

    def discard(self, backup: str) -> None:
        shutil.rmtree(self._path / backup, ignore_errors=True)

    def hold(self, backup: str) -> None:
        """`retention` keeps the last good one of a directory."""


def _make_durable(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

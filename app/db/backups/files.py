"""A collection's documents in a file: BSON, compressed by zstd, encrypted by age, streamed in both directions.

age authenticates every 64 KiB before it passes them on, and that nothing follows or is missing at the end.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, cast

import pyrage
import zstandard

from app.db.backups.checksums import NotBson, split
from app.db.backups.errors import Damaged, WrongKey
from app.db.backups.keys import PrivateKeys, PublicKeys

LEVEL = 3  # zstd's own default


class Written:
    """Counts and hashes what passes to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self.size = 0
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            self._file.write(data)
        except BaseException as error:  # pyrage passes on only its text
            self.error = error
            raise
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _Pieces:
    """Pieces of bytes as a file to read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._left = pieces, memoryview(b"")
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            while not self._left:
                self._left = memoryview(next(self._pieces))
        except StopIteration:
            return b""
        except BaseException as error:
            self.error = error
            raise
        piece, self._left = self._left[:size], self._left[size:]
        return bytes(piece)


def write(documents: Iterator[bytes], file: BinaryIO, keys: PublicKeys) -> Written:
    """Write BSON to a file; what `documents` or the file raise is raised here."""
    source, written = _Pieces(_compressed(documents)), Written(file)
    try:
        pyrage.encrypt_io(source, written, keys)
    except Exception:
        if cause := source.error or written.error:
            raise cause from None
        raise
    return written


def _compressed(documents: Iterator[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
    for data in documents:
        yield compressor.compress(data)
    yield compressor.flush()


class _Hashed:
    """A file to read that hashes what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.hash = hashlib.sha256()
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        try:
            data = self._file.read(size)
        except BaseException as error:
            self.error = error
            raise
        self.hash.update(data)
        return data


class _Splitter:
    """Passes on whole documents."""

    def __init__(self, take: Callable[[memoryview], None]) -> None:
        self._take, self.left = take, b""
        self.error: BaseException | None = None

    def write(self, data: bytes) -> int:
        try:
            joined = memoryview(self.left + data)
            end = 0
            for document in split(joined):
                self._take(document)
                end += len(document)
            self.left = bytes(joined[end:])
        except BaseException as error:
            self.error = error
            raise
        return len(data)


class _Decompressor:
    def __init__(self, splitter: _Splitter) -> None:
        # Writes at most 128 KiB at a time, however much a piece expands to.
        self._writer = zstandard.ZstdDecompressor().stream_writer(cast(BinaryIO, splitter), closefd=False)

    def write(self, data: bytes) -> int:
        self._writer.write(data)
        return len(data)

    def flush(self) -> None:
        pass


def read(file: BinaryIO, name: str, sha256: str, keys: PrivateKeys, take: Callable[[memoryview], None]) -> None:
    """Call `take` with each document of a file, which must not keep it; what `take` or the file raise is raised here.

    Raises WrongKey, and Damaged with the file's `name`, perhaps only after the last document.
    """
    source, splitter = _Hashed(file), _Splitter(take)
    try:
        pyrage.decrypt_io(source, _Decompressor(splitter), keys)
    except Exception as error:
        if source.error is not None:
            raise source.error from None
        if isinstance(splitter.error, NotBson):
            raise Damaged(f"{name} is damaged: {splitter.error}") from error
        if splitter.error is not None:
            raise splitter.error from None
        if isinstance(error, pyrage.DecryptError) and "matching keys" in str(error):
            raise WrongKey(f"{name} was encrypted for another key") from error
        raise Damaged(f"{name} is damaged: it can't be decrypted ({error})") from error
    while source.read(2**16):
        pass
    if splitter.left:
        raise Damaged(f"{name} is damaged: it ends within a document")
    if source.hash.hexdigest() != sha256:
        raise Damaged(f"{name} isn't the file that the manifest lists: its SHA-256 is {source.hash.hexdigest()}")

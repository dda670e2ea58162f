"""Reading text files: decompressed, decoded, and refused if they aren't text."""

import gzip
import io
from typing import Any, BinaryIO, cast

CHUNK = 1 << 16  # bytes read at a time
MAX_EXPANSION = 200  # bytes out of one packed byte: films give 3 to 10, DEFLATE at most 1,032
FREE_EXPANSION = 16 << 20  # bytes that a packed file may give whatever its size

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_NOT_TEXT = {
    _GZIP: "is packed twice",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
}


class BadFormat(Exception):
    """Why and where reading a file must end."""


class Counted(io.RawIOBase):
    """A stream's bytes, and how many have been read."""

    flaw = ""
    """What is wrong after the readable part, once its end is reached."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)

    def _read(self, size: int) -> bytes:
        return self._stream.read(size)


class _Unpacked(Counted):
    """A gzip stream, decompressed. Raises BadFormat for a decompression bomb.

    Ends where something other than another member follows, which becomes `flaw`: an error while reading would lose
    what precedes it.
    """

    def __init__(self, packed: Counted, stream: gzip.GzipFile) -> None:
        super().__init__(cast(BinaryIO, stream))
        self._packed, self._unpacker = packed, stream

    def readinto(self, buffer: Any) -> int:
        read = super().readinto(buffer)
        if self.count > FREE_EXPANSION + MAX_EXPANSION * self._packed.count:
            raise BadFormat(f"unpacks to more than {MAX_EXPANSION} times its size")
        return read

    def _read(self, size: int) -> bytes:
        try:
            return self._unpacker.read1(size)  # `read` would go on to the next member, and lose this when that fails
        except gzip.BadGzipFile as error:
            if not str(error).startswith("Not a gzipped file"):  # as said of a member; else of its checksum
                raise
            self._packed.flaw = "something that isn't gzip follows at the end of the packed data"
            return b""


def open_text(source: Counted) -> tuple[io.TextIOWrapper, bytes]:
    """A file's text, decompressed if necessary, and its first byte that isn't white space.

    A byte that isn't UTF-8 becomes half a surrogate pair (PEP 383), so only its record is rejected.
    Raises BadFormat if it isn't text, and for a decompression bomb (also later); EOFError, OSError and zlib.error when
    the compressed data is damaged.
    """
    packed = io.BufferedReader(source, CHUNK)
    unpacked = packed
    if packed.peek(len(_GZIP)).startswith(_GZIP):
        unpacked = io.BufferedReader(_Unpacked(source, gzip.GzipFile(fileobj=packed, mode="rb")), CHUNK)
    start = unpacked.peek(CHUNK)
    for magic, reason in _NOT_TEXT.items():
        if start.startswith(magic):
            raise BadFormat(reason)
    if start.count(0) > len(start) // 10:  # UTF-16 without a mark has half, and a text hardly one
        raise BadFormat("is not text")
    text = io.TextIOWrapper(unpacked, encoding="utf-8-sig", errors="surrogateescape", newline="")
    return text, start.removeprefix(_BOM).lstrip()[:1]


def not_utf8(text: str) -> str:
    """The problem with a text that has bytes which aren't UTF-8; "" if there is none."""
    if text.isascii():
        return ""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        byte = ord(text[error.start]) - 0xDC00
        return f"is not UTF-8: the byte {byte:#04x} after {text[max(0, error.start - 20) : error.start]!r}"
    return ""

"""Uploads that are small and become huge, or are huge and never end: name -> how the file is made, and its name."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image

from tests.pictures import encoded, picture, png_claiming

MB = 1 << 20


class Bomb(NamedTuple):
    """`says` is a part of the refusal."""

    name: str
    content: Callable[[], bytes]
    says: str


def zipped(name: str, megabytes: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bytes(megabytes * MB))
    return file.getvalue()


def gzipped(piece: bytes, megabytes: int, members: int = 1) -> bytes:
    """`megabytes` of a piece, `members` times over."""
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=9) as packed:
        for _ in range(megabytes):
            packed.write(piece * (MB // len(piece)))
    return file.getvalue() * members


LONG_FILM = b'{"title": "%b"}\n' % (b"a" * 65_000)

#: Refused at once, beside the field.
FILES = {
    "a zip archive": Bomb("films.csv", lambda: zipped("films.csv", 200), "is a zip archive; unpack it first"),
    "a workbook": Bomb("films.xlsx", lambda: zipped("xl/worksheets/sheet1.xml", 200), "is a zip archive"),
    "4 GB of blanks": Bomb("films.jsonl.gz", lambda: gzipped(b" ", 100, 40), "characters"),
    "4 GB of empty lines": Bomb("films.jsonl.gz", lambda: gzipped(b"\n", 100, 40), "unpacks to more than 200 times"),
    "gzip in gzip": Bomb("films.csv.gz", lambda: gzip.compress(gzipped(b"a", 100)), "is packed twice"),
    "a list in a list in a list": Bomb("films.json", lambda: b"[" * (8 * MB), "nested too deeply"),
    "an object in an object": Bomb("films.jsonl", lambda: b'{"a":' * 150_000, "nested too deeply"),
    "one endless line": Bomb("films.csv", lambda: b"title,type\n" + b"x" * (60 * MB), "1,048,576 characters"),
    "one endless cell": Bomb(
        "films.csv", lambda: b'title,type\n"' + b"x\n" * (30 * MB), "field larger than field limit"
    ),
    "many columns": Bomb("films.csv", lambda: columns(100_000), "the heading has more than 500 columns"),
    "many fields": Bomb("films.jsonl", lambda: fields(50_000), "what the file holds"),
    "a number without end": Bomb("films.jsonl", lambda: b'{"year": ' + b"9" * 500_000 + b"}", "is not JSON"),
    "zeros": Bomb("films.csv", lambda: bytes(60 * MB), "is not text"),
}
#: Accepted for now, because they begin like a file of films; the job ends with a report.
JOBS = {
    "4 GB of films": Bomb("films.jsonl.gz", lambda: gzipped(LONG_FILM * 16, 100, 40), "unpacks to more than 200 times"),
    "a film and an endless line": Bomb(
        "films.csv", lambda: b"title,type\nA,FILM\n" + b"x" * (60 * MB), "1,048,576 characters"
    ),
    "films of many columns": Bomb("films.csv", lambda: columns(100_000, "title,type,"), "more than 500 columns"),
    "films of many fields": Bomb("films.jsonl", lambda: fields(50_000, title="A", type="FILM"), "These records weren"),
}


def columns(count: int, before: str = "") -> bytes:
    heading = before + ",".join(f"c{number}" for number in range(count))
    return (heading + "\n" + ("," * heading.count(",") + "\n") * 100).encode()


def fields(count: int, **before: str) -> bytes:
    return (json.dumps({**before, **{f"c{number}": 1 for number in range(count)}}) + "\n").encode() * 10


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)


def png_with(kind: bytes, content: bytes) -> bytes:
    """A good PNG with one more chunk, which decoders unpack."""
    good = encoded(picture(), "PNG")
    return good[:33] + chunk(kind, content) + good[33:]  # behind the header


def frames(count: int) -> bytes:
    images = [Image.new("P", (300, 450), number % 256) for number in range(count)]
    return encoded(images[0], "PNG", save_all=True, append_images=images[1:])


def jpeg_claiming(width: int, height: int) -> bytes:
    good = encoded(picture())
    at = good.index(b"\xff\xc0") + 5
    return good[:at] + struct.pack(">HH", height, width) + good[at + 4 :]


PACKED_ZEROS = zlib.compress(bytes(100 * MB), 9)

IMAGES = {
    "a PNG that claims 900 megapixels": Bomb("x.png", lambda: png_claiming(30_000, 30_000), "25 million pixels"),
    "a PNG that claims more than there is": Bomb("x.png", lambda: png_claiming(5_000, 5_000), "broken or incomplete"),
    "a JPEG that claims 4,000 megapixels": Bomb("x.jpg", lambda: jpeg_claiming(65_000, 65_000), "25 million pixels"),
    "packed text": Bomb("x.png", lambda: png_with(b"zTXt", b"a\0\0" + PACKED_ZEROS), "broken or incomplete"),
    "a packed profile": Bomb("x.png", lambda: png_with(b"iCCP", b"a\0\0" + PACKED_ZEROS), "broken or incomplete"),
    "many frames": Bomb("x.png", lambda: frames(300), "animated"),
    "a drawing": Bomb("x.svg", lambda: b"<svg>" + b"<g>" * MB, "isn't a JPEG, PNG, WebP or AVIF"),
    "a TIFF": Bomb("x.jpg", lambda: encoded(picture(), "TIFF"), "isn't a JPEG, PNG, WebP or AVIF"),
    "a zip archive": Bomb("x.jpg", lambda: zipped("x.jpg", 200), "isn't a JPEG, PNG, WebP or AVIF"),
}

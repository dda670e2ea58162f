"""Pictures to upload, made on the spot."""

from __future__ import annotations

import io
import zlib
from typing import Any

from PIL import Image

SIZE = (240, 360)


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE, colour: Any = "teal") -> Image.Image:
    """One colour all over; where a mode knows no names, `colour` is a number or a tuple."""
    return Image.new(mode, size, colour)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """An image file of one of Pillow's kinds."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(content: bytes) -> Image.Image:
    """The image in a file, its pixels read."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def png_claiming(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes whose head promises so many pixels, and whose data are as many zeros as it takes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

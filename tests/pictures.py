"""Generated images to upload."""

from __future__ import annotations

import io
import zlib
from typing import Any

from PIL import Image

SIZE = (240, 360)


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE, colour: Any = "teal") -> Image.Image:
    """An image in one colour, which is a number or a tuple in modes without colour names."""
    return Image.new(mode, size, colour)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    """An image file in one of Pillow's formats."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def decoded(content: bytes) -> Image.Image:
    """The image in a file, with its pixels loaded."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims this size, with a megabyte of compressed zeros as data."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    data = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")

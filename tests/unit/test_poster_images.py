"""Uploaded images: conversion to posters, and refusals with their reasons."""

from __future__ import annotations

import gzip
import io
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import decoded, encoded, picture, png_claiming
from PIL import Image, ImageCms

from app.admin import poster_images
from app.admin.poster_images import LARGE, SMALL, Refused
from app.db.films import Picture

SCRIPT = b"<script>alert(1)</script>"
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
TEAL = (0, 128, 128)


def poster(content: bytes) -> Picture:
    return poster_images.picture(io.BytesIO(content))


def reason(content: bytes) -> str:
    with pytest.raises(Refused) as refused:
        poster(content)
    return str(refused.value)


def near(image: Image.Image, colour: tuple[int, int, int], at: tuple[int, int] | None = None) -> bool:
    """Whether a pixel, by default the centre, has the colour, within compression errors."""
    found = image.convert("RGB").getpixel(at or (image.width // 2, image.height // 2))
    return max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_every_format_becomes_a_poster_in_two_sizes(kind: str) -> None:
    made = poster(encoded(picture(), kind))
    small, large = decoded(made.small), decoded(made.large)
    assert (small.format, small.size, large.format, large.size) == ("WEBP", SMALL, "WEBP", LARGE)
    assert near(small, TEAL)
    assert near(large, TEAL)


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "becomes"),
    [
        ("L", 128, "JPEG", (128, 128, 128)),
        ("1", 1, "PNG", (255, 255, 255)),
        ("P", 0, "PNG", (0, 0, 0)),
        ("CMYK", (255, 0, 0, 0), "JPEG", (0, 255, 255)),
        ("I;16", 40_000, "PNG", (156, 156, 156)),  # 40,000 of 65,535 is 156 of 255
        ("RGBA", (200, 0, 0, 0), "PNG", (255, 255, 255)),  # transparent: white
        ("RGBA", (200, 0, 0, 255), "WEBP", (200, 0, 0)),
        ("RGBA", (200, 0, 0, 255), "AVIF", (200, 0, 0)),
        ("LA", (90, 255), "PNG", (90, 90, 90)),
    ],
)
def test_every_mode_keeps_its_colour(mode: str, colour: Any, kind: str, becomes: tuple[int, int, int]) -> None:
    made = poster(encoded(picture(mode, colour=colour), kind))
    assert near(decoded(made.small), becomes)


def test_a_wide_image_is_cropped_around_its_centre() -> None:
    wide = picture(size=(900, 300), colour="red")
    wide.paste("teal", (300, 0, 600, 300))
    made = decoded(poster(encoded(wide, "PNG")).large)
    assert near(made, TEAL)
    assert near(made, TEAL, (5, 300))


def test_a_rotated_photo_is_upright_and_loses_its_metadata() -> None:
    sideways = picture(size=(600, 400), colour="red")
    sideways.paste("teal", (0, 0, 300, 400))  # the left half, at the top after rotation
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise
    exif[0x010F] = "A camera"
    exif.get_ifd(0x8825)[1] = "N"  # location
    made = poster(encoded(sideways, "JPEG", exif=exif, comment=SCRIPT))
    upright = decoded(made.large)
    assert near(upright, TEAL, (200, 50))
    assert near(upright, (255, 0, 0), (200, 550))
    for content in (made.small, made.large):
        assert not decoded(content).getexif()
        assert b"camera" not in content
        assert b"script" not in content


def test_another_colour_profile_is_converted_to_srgb() -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # The profile of a screen with red and blue swapped.
    swapped = srgb.replace(b"rXYZ", b"----").replace(b"bXYZ", b"rXYZ").replace(b"----", b"bXYZ")
    made = poster(encoded(picture(colour=(200, 60, 20)), "PNG", icc_profile=swapped))
    assert near(decoded(made.small), (20, 60, 200))
    assert "icc_profile" not in decoded(made.small).info


def test_an_invalid_profile_is_ignored() -> None:
    assert near(decoded(poster(encoded(picture(), "PNG", icc_profile=b"nonsense")).small), TEAL)


def test_data_after_the_image_is_dropped() -> None:
    """A polyglot: an image to one program, a web page or an archive to another."""
    for kind in ("JPEG", "PNG", "WEBP"):
        made = poster(encoded(picture(), kind) + SCRIPT + b"PK\x03\x04")
        assert b"script" not in made.small + made.large
        assert b"PK\x03\x04" not in made.small + made.large


def test_further_images_of_a_phone_photo_are_ignored() -> None:
    several = encoded(picture(), "MPO", save_all=True, append_images=[picture(colour="red")])
    assert near(decoded(poster(several).small), TEAL)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "isn't a JPEG"),
        (SCRIPT, "isn't a JPEG"),
        (SVG, "isn't a JPEG"),
        (gzip.compress(SVG), "isn't a JPEG"),
        (b"GIF89a" + SCRIPT, "isn't a JPEG"),
        (b"%PDF-1.7" + SCRIPT, "isn't a JPEG"),
        (b"\x89PNG\r\n\x1a\n" + SCRIPT, "isn't a JPEG"),
        (encoded(picture("P"), "GIF"), "isn't a JPEG"),
        (encoded(picture(), "TIFF"), "isn't a JPEG"),
        (encoded(picture(size=(1, 1)), "PNG"), "1 by 1 pixels. A poster needs at least 200 by 300"),
        (encoded(picture(size=(5000, 299)), "PNG"), "5000 by 299"),
        (encoded(picture(size=(199, 5000)), "PNG"), "199 by 5000"),
        (png_claiming(7_000, 7_000), "more than 25 million pixels"),
        (png_claiming(60_000, 60_000), "more than 25 million pixels"),
        (png_claiming(2_000, 2_000), "broken or incomplete"),
        (encoded(picture(), "JPEG")[:-200], "broken or incomplete"),
        (encoded(picture(size=(400, 600)), "AVIF")[:-20], "broken or incomplete"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_unsuitable_files_are_refused_with_a_reason(content: bytes, says: str) -> None:
    assert says in reason(content)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_animations_are_refused(kind: str) -> None:
    frames = [picture(colour=colour) for colour in ("red", "green", "blue")]
    assert "animated" in reason(encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100))


def _noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(5).integers(0, 255, (300, 200, 3), dtype=np.uint8))


FILES = [encoded(_noise(), kind) for kind in ("JPEG", "PNG", "WEBP", "AVIF")]


@settings(max_examples=60, deadline=None)
@given(
    content=st.sampled_from(FILES),
    cut=st.floats(0, 1),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=8),
)
def test_a_damaged_file_becomes_a_poster_or_is_refused(
    content: bytes, cut: float, changes: list[tuple[float, int]]
) -> None:
    damaged = bytearray(content[: int(len(content) * max(cut, 0.01))] if cut < 0.7 else content)
    for place, byte in changes:
        damaged[int(place * min(len(damaged), 400))] = byte  # in the header, where damage does most
    with suppress(Refused):  # no other exception
        assert decoded(poster(bytes(damaged)).large).size == LARGE

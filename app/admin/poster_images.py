"""From whatever file somebody sends to a poster: decoded by what it holds, checked, and drawn anew.

Nothing of the file itself is kept. What leaves here are pixels that this module encoded, so that neither a script, a
second file behind the picture, nor the place where a photo was taken can come along.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import IO

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from app.db.films import Picture

MAX_PIXELS = 25_000_000  # most cameras'; a worker holds up to 16 bytes for each while it decodes and turns the picture
SMALL, LARGE = (200, 300), (400, 600)  # pixels; the large one is for screens with two of them to a CSS pixel
QUALITY = 80  # of WebP, in 0 .. 100: libwebp's own scale; 80 is Pillow's default
PAPER = "white"  # behind what is transparent

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")  # by Pillow's names


class Refused(Exception):
    """A file that can't become a poster; the message is a sentence that says why and what to do."""


def picture(stream: IO[bytes]) -> Picture:
    """The poster that an image file makes, cut to 2:3 around its middle.

    Raises Refused when it is no picture of a known kind, broken, animated, too small or too large.
    """
    large = _drawn(stream)
    return Picture(small=_webp(large.resize(SMALL, Image.Resampling.LANCZOS)), large=_webp(large))


def _drawn(stream: IO[bytes]) -> Image.Image:
    """The picture in the larger size, upright, in sRGB. Raises Refused."""
    try:
        with Image.open(stream, formats=_FORMATS) as file:
            _check(file)
            file.draft(None, (LARGE[1], LARGE[1]))  # a JPEG is decoded no larger than it is needed, either way round
            ImageOps.exif_transpose(file, in_place=True)
            return _plain(ImageOps.fit(_resizable(file), LARGE, Image.Resampling.LANCZOS))
    except Refused:
        raise
    except UnidentifiedImageError as error:
        raise Refused("This is no JPEG, PNG, WebP or AVIF picture, whatever its name says.") from error
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:  # decoders raise anything at all for a file made or broken in a way that nobody foresaw
        raise Refused("The picture is broken or incomplete. Open it, save it again, and send that file.") from error


def _check(file: Image.Image) -> None:
    """Refuse by what the file's head says, before any memory is taken for its pixels."""
    width, height = file.size
    if width * height > MAX_PIXELS:
        raise _too_large()
    if width < SMALL[0] or height < SMALL[1]:
        least = f"{SMALL[0]} by {SMALL[1]}"
        raise Refused(f"The picture has {width} by {height} pixels. A poster needs at least {least}.")
    # MPO is a JPEG with further pictures behind the first, as telephones take them: a depth map, one before editing.
    if getattr(file, "is_animated", False) and file.format != "MPO":
        raise Refused("The picture moves. A poster stands still: send a single picture.")


def _too_large() -> Refused:
    return Refused(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels. Make it smaller first.")


def _resizable(image: Image.Image) -> Image.Image:
    """The picture with pixels between which there are others: an index into a palette has none."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")  # plain conversion would cut off, not scale
    if image.mode in {"1", "P", "PA"}:
        return image.convert("RGBA")
    return image


def _plain(image: Image.Image) -> Image.Image:
    """The picture as 8-bit RGB, a fresh one, which takes over no metadata."""
    profile = image.info.get("icc_profile")
    transparent = image.convert("RGBA") if image.has_transparency_data else None
    colours = _in_srgb(image, profile) if profile and transparent is None else image.convert("RGB")
    sheet = Image.new("RGB", image.size, PAPER)
    sheet.paste(transparent or colours, mask=transparent)
    return sheet


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The colours as the profile means them; read as sRGB where it is none that can be used."""
    with suppress(ImageCms.PyCMSError, OSError):
        given, srgb = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, given, srgb, outputMode="RGB")
        if converted is not None:
            return converted
    return image.convert("RGB")


def _webp(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()

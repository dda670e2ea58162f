"""Turns an uploaded file into a poster: decodes it by content, checks it, and encodes it again.

Nothing of the file itself is kept but pixels encoded here: no scripts, no second file behind the image, no location.
"""

from __future__ import annotations

import io
from contextlib import suppress
from typing import IO

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from app.db.films import Picture

MAX_PIXELS = 25_000_000  # enough for most cameras; decoding and rotating takes up to 16 bytes per pixel
SMALL, LARGE = (200, 300), (400, 600)  # pixels; the large one is for screens with two per CSS pixel
QUALITY = 80  # of WebP, 0 to 100 by libwebp's scale; 80 is Pillow's default
PAPER = "white"  # behind transparent parts

_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF")  # Pillow's names


class Refused(Exception):
    """A file that can't become a poster; the message says why and what to do."""


def picture(stream: IO[bytes]) -> Picture:
    """A poster from an image file, cropped to 2:3 around its centre.

    Raises Refused if it isn't an image of a known format, or is broken, animated, too small or too large.
    """
    large = _drawn(stream)
    return Picture(small=_webp(large.resize(SMALL, Image.Resampling.LANCZOS)), large=_webp(large))


def _drawn(stream: IO[bytes]) -> Image.Image:
    """The image in the larger size, upright, in sRGB. Raises Refused."""
    try:
        with Image.open(stream, formats=_FORMATS) as file:
            _check(file)
            file.draft(None, (LARGE[1], LARGE[1]))  # decode a JPEG no larger than needed, in either orientation
            ImageOps.exif_transpose(file, in_place=True)
            return _plain(ImageOps.fit(_resizable(file), LARGE, Image.Resampling.LANCZOS))
    except Refused:
        raise
    except UnidentifiedImageError as error:
        raise Refused("This isn't a JPEG, PNG, WebP or AVIF image, whatever its name says.") from error
    except Image.DecompressionBombError as error:
        raise _too_large() from error
    except Exception as error:  # decoders can raise anything for malformed files
        raise Refused("The image is broken or incomplete. Open it, save it again, and upload that file.") from error


def _check(file: Image.Image) -> None:
    """Refuse by the file's header, before memory is allocated for its pixels."""
    width, height = file.size
    if width * height > MAX_PIXELS:
        raise _too_large()
    if width < SMALL[0] or height < SMALL[1]:
        least = f"{SMALL[0]} by {SMALL[1]}"
        raise Refused(f"The image has {width} by {height} pixels. A poster needs at least {least}.")
    # MPO is a JPEG with more images behind the first, as phones take them: a depth map, or the original.
    if getattr(file, "is_animated", False) and file.format != "MPO":
        raise Refused("The image is animated. Upload a still image.")


def _too_large() -> Refused:
    return Refused(f"The image has more than {MAX_PIXELS // 1_000_000} million pixels. Make it smaller first.")


def _resizable(image: Image.Image) -> Image.Image:
    """The image in a mode that can be interpolated, unlike palette indices."""
    if image.mode.startswith("I;16"):
        return image.point(lambda value: value / 256).convert("L")  # plain conversion would clip, not scale
    if image.mode in {"1", "P", "PA"}:
        return image.convert("RGBA")
    return image


def _plain(image: Image.Image) -> Image.Image:
    """A new image in 8-bit RGB, without metadata."""
    profile = image.info.get("icc_profile")
    transparent = image.convert("RGBA") if image.has_transparency_data else None
    colours = _in_srgb(image, profile) if profile and transparent is None else image.convert("RGB")
    sheet = Image.new("RGB", image.size, PAPER)
    sheet.paste(transparent or colours, mask=transparent)
    return sheet


def _in_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """The image converted from its profile; as sRGB if the profile is unusable."""
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

"""Reading picture files into the few kinds of picture that the rest of the plugin knows.

A picture is a `PIL.Image.Image` of mode L, LA, RGB or RGBA, eight bits a channel, or of mode F: grey levels from 0 to
255 with fractions, which is what 16-bit greyscale becomes, so that none of its depth is lost.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from polydiff.data.file import File
from polydiff.errors import DataError

SUFFIXES = (".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

SHRUNK = "polydiff shrunk"
"""Key of a picture's `info`: the size at which it was decoded, where that is not the size that it has in the file."""

PIXEL_LIMIT = 178_956_970
"""Pillow itself refuses to open what has more pixels."""

_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF")


def open_picture(path: File, max_pixels: int) -> Image.Image:
    """Read a file's header; the pixels follow when they are needed.

    Raises
    ------
    DataError
        With the reason: unreadable, no picture, or more pixels than `max_pixels`.
    """
    try:
        picture = Image.open(path if isinstance(path, Path) else path.open("rb"), formats=_FORMATS)
    except UnidentifiedImageError:
        raise DataError("is no picture in a format that is read") from None
    except Image.DecompressionBombError:
        raise DataError(f"has more than {PIXEL_LIMIT} pixels, the most that are read") from None
    except OSError as error:
        raise DataError(f"cannot be opened: {error.strerror or error}") from error
    except Exception as error:  # Pillow's parsers raise almost anything on a broken header
        raise DataError(f"is broken: {error!r}") from error
    if picture.width * picture.height > max_pixels:
        picture.close()
        raise DataError(
            f"has {picture.width} x {picture.height} pixels, more than {max_pixels}; data.source.max_pixels allows more"
        )
    if picture.mode in {"I", "F"}:
        picture.close()
        raise DataError("has 32 bits a pixel, whose range is not known; convert it to 8 or 16 bits")
    return picture


def read_picture(path: File, max_pixels: int, shrink_to: int | None = None) -> Image.Image:
    """Read a picture, upright as its EXIF orientation says; of an animation, the first frame.

    Parameters
    ----------
    shrink_to
        A JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as its shorter side keeps this many pixels.

    Raises
    ------
    DataError
        With the reason: as `open_picture`, or a file that is truncated or broken.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow warns of is either an error below or of no account
        with open_picture(path, max_pixels) as picture:
            full_size = picture.size
            try:
                if shrink_to is not None:
                    _draft(picture, shrink_to)
                upright = normalise(ImageOps.exif_transpose(picture))
            except Exception as error:  # Pillow's decoders raise almost anything on a broken file
                raise DataError(f"cannot be decoded: {error or repr(error)}") from error
            upright.info = {} if picture.size == full_size else {SHRUNK: upright.size}
    return upright


def normalise(picture: Image.Image) -> Image.Image:
    """Convert a picture of any mode that a file may have; one that is in order comes back as it is."""
    if picture.mode == "F":
        return picture
    if picture.mode.startswith("I;16"):
        return Image.fromarray(np.asarray(picture).astype(np.float32) / 257)
    if picture.has_transparency_data:
        grey = picture.mode in {"1", "L", "LA", "La"}
        return _converted(picture, "LA" if grey else "RGBA")
    return _converted(picture, "L" if picture.mode in {"1", "L"} else "RGB")


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode == mode:
        return picture
    if mode == "LA":  # Pillow reads a grey level that stands for "transparent" on the way to RGBA alone
        picture = picture.convert("RGBA")
    return picture.convert(mode)


def _draft(picture: Image.Image, shrink_to: int) -> None:
    scale = shrink_to / min(picture.size)
    if scale < 1:
        picture.draft(None, (round(picture.width * scale), round(picture.height * scale)))

"""Pictures as bytes of a file, with what is to be remembered of them inside."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from polydiff.errors import UsageError


def png(content: Image.Image, metadata: Mapping[str, str]) -> bytes:
    """Write a PNG; each entry of the metadata becomes a text chunk of its own."""
    chunks = PngImagePlugin.PngInfo()
    for key, text in metadata.items():
        chunks.add_text(key, text)
    return _saved(content, "PNG", pnginfo=chunks, optimize=True)


def jpeg(content: Image.Image, metadata: Mapping[str, str]) -> bytes:
    """Write a JPEG of quality 95 with colour at full resolution; the metadata go into EXIF's ImageDescription, as JSON.

    Raises
    ------
    UsageError
        When the picture has an alpha channel.
    """
    if content.has_transparency_data:
        raise UsageError("a JPEG holds no transparency; write png or webp")
    return _saved(content, "JPEG", quality=95, subsampling="4:4:4", exif=_exif(metadata))


def webp(content: Image.Image, metadata: Mapping[str, str]) -> bytes:
    """Write a lossless WebP; the metadata go into EXIF's ImageDescription, as JSON."""
    return _saved(content, "WEBP", lossless=True, exact=True, exif=_exif(metadata))


def _exif(metadata: Mapping[str, str]) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = json.dumps(dict(metadata))  # ASCII, as EXIF wants it
    return exif


def _saved(content: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    content.save(file, kind, **options)
    return file.getvalue()

"""Sounds as bytes of a file, with what is to be remembered of them inside.

Integers are rounded to the nearest level, without dither: digital silence stays so, and samples that came from such a
file come back as they were. What lies beyond full scale, and `levels.beyond_full_scale` reports, is clipped; what is
no number becomes silence. The same sound gives the same bytes.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping

import numpy as np
import soundfile
from numpy.typing import NDArray

from polydiff.errors import UsageError
from polydiff_audio import ogg_pages, riff
from polydiff_audio.sound import Audible, Samples

_OGG_QUALITY = 0.6
"""Of Vorbis, from 0 to 1: about 96 kbit/s and channel at 44.1 kHz."""

_OGG_BLOCK = 1 << 16
"""Frames handed to libvorbis at a time: its stack overflows with more than some two million."""

_OGG_HIGHEST_RATE = 200_000
"""In Hz; libvorbis crashes above."""


def wav(content: Audible, metadata: Mapping[str, str]) -> bytes:
    """Write a WAV of 16 bits; the metadata go into its comment, as JSON."""
    return riff.with_comment(_encoded(_integers(content.samples, 16), content.rate, "WAV", "PCM_16"), _json(metadata))


def wav24(content: Audible, metadata: Mapping[str, str]) -> bytes:
    """Write a WAV of 24 bits; the metadata go into its comment, as JSON."""
    return riff.with_comment(_encoded(_integers(content.samples, 24), content.rate, "WAV", "PCM_24"), _json(metadata))


def wav32(content: Audible, metadata: Mapping[str, str]) -> bytes:
    """Write a WAV of 32-bit floats, bit for bit, beyond full scale too; the metadata go into its comment, as JSON."""
    return riff.with_comment(_encoded(content.samples, content.rate, "WAV", "FLOAT"), _json(metadata))


def flac(content: Audible, metadata: Mapping[str, str]) -> bytes:
    """Write a FLAC of 24 bits; the metadata go into its comment, as JSON.

    Raises
    ------
    UsageError
        When the sound has more than 8 channels.
    """
    return _encoded(_integers(content.samples, 24), content.rate, "FLAC", "PCM_24", comment=_json(metadata))


def ogg(content: Audible, metadata: Mapping[str, str]) -> bytes:
    """Write an Ogg Vorbis file of quality 6; the metadata go into its comment, as JSON.

    Raises
    ------
    UsageError
        When the format has no such sample rate.
    """
    if content.rate > _OGG_HIGHEST_RATE:
        raise UsageError(f"Ogg Vorbis has no {content.rate} Hz, at most {_OGG_HIGHEST_RATE}; write wav or flac")
    within = _within(content.samples)
    data = _encoded(within, content.rate, "OGG", "VORBIS", comment=_json(metadata))
    return ogg_pages.with_serial(data, zlib.crc32(within.tobytes()))  # libsndfile draws one from the clock


def _within(samples: Samples) -> Samples:
    return np.nan_to_num(samples, nan=0, posinf=1, neginf=-1).clip(-1, 1)


def _integers(samples: Samples, bits: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Round to the nearest of 2^bits levels, in the upper bits of the integers.

    libsndfile's own conversion of floats rounds down, and its levels are not those that it reads back.
    """
    largest = 2 ** (bits - 1)
    levels: NDArray[np.float64] = np.rint(_within(samples).astype(np.float64) * largest).clip(max=largest - 1)
    return levels.astype(np.int16) if bits == 16 else levels.astype(np.int32) << (32 - bits)


def _json(metadata: Mapping[str, str]) -> str:
    return json.dumps(dict(metadata))


def _encoded(
    samples: Samples | NDArray[np.int16] | NDArray[np.int32], rate: int, kind: str, subtype: str, comment: str = ""
) -> bytes:
    file = io.BytesIO()
    level = 1 - _OGG_QUALITY if kind == "OGG" else None
    channels, frames = samples.shape
    try:
        with soundfile.SoundFile(file, "w", rate, channels, subtype, format=kind, compression_level=level) as sound:
            if comment:
                sound.comment = comment
            for start in range(0, frames, _OGG_BLOCK):
                sound.write(np.ascontiguousarray(samples[:, start : start + _OGG_BLOCK].T))
    except soundfile.LibsndfileError as error:
        raise UsageError(f"{kind} holds no {channels} channels at {rate} Hz: {error.error_string}") from error
    return file.getvalue()

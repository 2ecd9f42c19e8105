"""What a sound file says of itself, and whether all of it is there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile

from polydiff.data.file import File
from polydiff.errors import DataError

SUFFIXES = (".flac", ".mp3", ".oga", ".ogg", ".opus", ".wav")

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000
"""Hz. What lies outside is a broken header, and no sound could be made of it that anyone hears."""

_FORMATS = {"WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3"}

_UNKNOWN = 2**63 - 1
"""What libsndfile gives for the length of a FLAC that was written to a pipe."""

_CUT_SHORT = re.compile(r"^data : (\d+) \(should be (\d+)\)$|^\*\*\* Calculated frame count", re.MULTILINE)
"""Two lines of libsndfile's log: the header promises more than is there. It makes do with less, without an error."""

_OGG_PAGE = 65_307
"""Bytes, at most."""


@dataclass(frozen=True, slots=True)
class Header:
    """The size of a recording as its file states it.

    Attributes
    ----------
    rate
        Frames per second, in Hz.
    """

    frames: int
    channels: int
    rate: int


def read_header(path: File) -> Header:
    """Look at a file, whatever its name ends in, without decoding it.

    An MP3 is believed when it says how long it is; one without the usual header (Xing, Info) and of varying bit rate
    appears shorter or longer than it is.

    Raises
    ------
    DataError
        With the reason: missing, empty, no sound, of no length or of an absurd rate, or visibly truncated. A FLAC or
        MP3 that is truncated shows it when its end is read, not here.
    """
    with open_sound(path) as file:
        header, kind, log = header_of(file), file.format, file.extra_info
    if kind not in _FORMATS:
        raise DataError(f"is a file of the format {kind}; WAV, FLAC, OGG, Opus and MP3 are read")
    if kind in {"WAV", "WAVEX", "RF64"}:
        _check_wav(log)
    if kind == "OGG":
        _check_ogg(path)
    if header.frames == 0:
        raise DataError("holds no sound: its length is zero")
    if header.frames == _UNKNOWN:
        raise DataError("does not say how long it is; encode it again, to a file rather than a pipe")
    if not LOWEST_RATE <= header.rate <= HIGHEST_RATE:
        raise DataError(f"says that it has {header.rate} frames a second; {LOWEST_RATE} to {HIGHEST_RATE} are read")
    return header


def header_of(file: soundfile.SoundFile) -> Header:
    """Give the size of an open file."""
    return Header(file.frames, file.channels, file.samplerate)


@contextmanager
def open_sound(path: File) -> Iterator[soundfile.SoundFile]:
    """Open a file to read from it.

    Raises
    ------
    DataError
        With the reason, when it cannot be opened or libsndfile fails on it within the `with`.
    """
    try:
        with _sound(path) as file:
            yield file
    except soundfile.LibsndfileError as error:
        raise DataError(_reason(path, error)) from error


def _sound(path: File) -> soundfile.SoundFile:
    if isinstance(path, Path):
        return soundfile.SoundFile(os.fsencode(path))  # as bytes, because a name need not be valid UTF-8
    return soundfile.SoundFile(path.open("rb"))


def _reason(path: File, error: Any) -> str:
    try:
        with path.open("rb") as file:
            if not file.read(1):
                return "is empty"
    except OSError as fault:
        return f"cannot be opened: {fault.strerror}"
    if error.code == 1:
        return "is no sound in a format that is read"
    return f"cannot be decoded: {error.error_string.rstrip('.') or f'error {error.code} of libsndfile'}"


def _check_wav(log: str) -> None:
    found = _CUT_SHORT.search(log)
    if found is None:
        return
    if found[1] is None:
        raise DataError("is truncated: some of the frames that its header promises are missing")
    promised, there = int(found[1]), int(found[2])
    # A program that writes to a pipe cannot know the size; it puts the largest in its place, or almost.
    if -promised % 2**31 > 2**13:
        raise DataError(f"is truncated: {promised - there} of its {promised} bytes of sound are missing")


def _check_ogg(path: File) -> None:
    """Look for a whole last page with its mark (RFC 3533, section 6)."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _OGG_PAGE))
        end = file.read()
    page = end[max(0, end.rfind(b"OggS")) :]
    lengths = page[27 : 27 + page[26]] if len(page) > 27 else b""
    marked = bool(lengths) and bool(page[5] & 4)
    if not marked or 27 + len(lengths) + sum(lengths) > len(page):
        raise DataError("is truncated: the end of its last page is missing")

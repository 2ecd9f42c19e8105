"""Speech that needs no recordings: words and lines spoken by espeak-ng."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import shorten

import numpy as np

from polydiff.data.example import Example
from polydiff.errors import DataError, UsageError
from polydiff_audio.espeak_ng import PITCHES, SPEEDS, Utterance, find_voices, speak
from polydiff_audio.resample import resample
from polydiff_audio.sound import Sound
from polydiff_audio.trimming import trim

SILENCE = 50.0
"""Decibels below the loudest 10 ms: what stays below that at either end is not part of the words."""


class Espeak:
    """Texts spoken by the program espeak-ng, each clip in a voice, at a speed and a pitch of its own.

    The label is the text, the caption the text and the voice; attributes are `voice`, `speed` and `pitch`. Clips take
    the texts in turn; their voice, speed and pitch are drawn from (seed, index) alone. Silence at either end is cut
    off. When the first clip is read, all are spoken, by several processes at once, and kept in memory.

    Parameters
    ----------
    words
        Texts; this or `lines`.
    lines
        A text file in UTF-8 with a text a line; blank lines are passed over.
    voices
        Languages and accents that `espeak-ng --voices` lists, each with or without one of the variants that
        `espeak-ng --voices=variant` lists: "en-gb-scotland", "en-us+f3".
    speeds
        The slowest and the fastest, in words a minute, 80 to 450.
    pitches
        The lowest and the highest, 0 to 99; 50 is a voice's own.
    count
        Number of clips; that of the texts when not given.
    rate
        Of the clips, in Hz; espeak-ng itself speaks at 22,050.
    seed
        Another one draws other voices, speeds and pitches.

    Raises
    ------
    UsageError
        When there are both words and lines or neither, there is no such voice, or a range is none.
    DataError
        When espeak-ng is not installed, a voice does not work, or the file of lines cannot be read or is empty.
    """

    unreadable: Sequence[str] = ()

    def __init__(
        self,
        words: tuple[str, ...] = (),
        lines: Path | None = None,
        voices: tuple[str, ...] = ("en-us",),
        speeds: tuple[int, int] = (150, 200),
        pitches: tuple[int, int] = (35, 65),
        count: int | None = None,
        rate: int = 22050,
        seed: int = 0,
    ) -> None:
        if bool(words) == (lines is not None):
            raise UsageError("say what is spoken: give either words or lines, a text file")
        if not voices:
            raise UsageError("voices: at least one is needed")
        _check_range("speeds", speeds, SPEEDS)
        _check_range("pitches", pitches, PITCHES)
        if count is not None and count < 1:
            raise UsageError(f"count {count}: at least one clip is needed")
        if rate < 1:
            raise UsageError(f"rate {rate}: it must be at least 1 Hz")
        self._voices = list(zip(voices, find_voices(voices), strict=True))
        texts = words if lines is None else _read_lines(lines)
        self._count = len(texts) if count is None else count
        self.rate = rate
        self.classes: Sequence[str] = list(dict.fromkeys(texts[: self._count]))
        self._texts, self._speeds, self._pitches, self._seed = texts, speeds, pitches, seed
        self._spoken: list[Sound | DataError] = []

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Example:
        """Give a clip, mono; raise `DataError` when espeak-ng cannot speak it."""
        if not self._spoken:
            self._speak()
        spoken = self._spoken[index]
        if isinstance(spoken, DataError):
            raise DataError(f"{self.name(index)}: {spoken}")
        text, ((voice, _), speed, pitch) = self.label(index), self._manner(index)
        facts = {"voice": voice, "speed": speed, "pitch": pitch}
        return Example(spoken, self.name(index), text, f"{text}, spoken by {voice}", facts)

    def name(self, index: int) -> str:
        """Give "clip 17, 'seven'"."""
        return f"clip {index}, '{shorten(self.label(index), 60)}'"

    def label(self, index: int) -> str:
        """Give the text."""
        return self._texts[index % len(self._texts)]

    def _manner(self, index: int) -> tuple[tuple[str, str], int, int]:
        """Draw a voice, by its name and the program's name for it, a speed and a pitch."""
        rng = np.random.default_rng((self._seed, index))
        voice = self._voices[rng.integers(len(self._voices))]
        speed, pitch = (int(rng.integers(*limits, endpoint=True)) for limits in (self._speeds, self._pitches))
        return voice, speed, pitch

    def _speak(self) -> None:
        with ThreadPoolExecutor() as pool:  # each thread waits for a process
            self._spoken = list(pool.map(self._clip, range(len(self))))

    def _clip(self, index: int) -> Sound | DataError:
        (_, voice), speed, pitch = self._manner(index)
        try:
            said = speak(Utterance(self.label(index), voice, speed, pitch))
        except DataError as error:
            return error
        words = trim(said.samples, said.rate, SILENCE)
        return Sound(resample(words, said.rate, self.rate), self.rate)


def _check_range(option: str, given: tuple[int, int], limits: tuple[int, int]) -> None:
    if not limits[0] <= given[0] <= given[1] <= limits[1]:
        raise UsageError(f"{option} {list(given)}: give the lower and the upper limit, within {list(limits)}")


def _read_lines(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    texts = tuple(filter(None, map(str.strip, text.splitlines())))
    if not texts:
        raise DataError(f"{path}: every line is blank")
    return texts

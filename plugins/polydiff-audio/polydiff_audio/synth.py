"""Notes of synthetic instruments: sounds with a timbre and a pitch that need no download."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from polydiff.data.example import Example
from polydiff.errors import UsageError
from polydiff_audio.instruments import INSTRUMENTS, TIMBRES, Timbre
from polydiff_audio.instruments.instrument import Wave
from polydiff_audio.pitch import note_name, to_hertz
from polydiff_audio.sound import Samples, Sound

QUIETEST, LOUDEST = -18.0, -1.0
"""Peaks of the notes, in decibels of full scale."""

FADE = 0.02
"""Seconds at the end in which what still rings fades away."""

SHORTEST = 0.1
"""Seconds that a note needs to be one."""


class Synth:
    """Notes of equally many instruments each, of pitches spread evenly, mono, each starting at once.

    The label is the timbre, the attribute `pitch` the MIDI number (69 is 440 Hz; fractions are between the keys), and
    the caption says both: "a bell at 440.0 Hz", or "a bell playing A4" where notes are keys of a piano. Loudness,
    brightness, decay and whatever else an instrument has differ from note to note. Note i is a function of the seed
    and i.

    Parameters
    ----------
    count
        How many notes there are.
    timbres
        Which instruments play, in turn.
    low, high
        The range of the pitch, in MIDI numbers.
    rate
        Samples per second; at least four times the frequency of the highest note.
    seconds
        How long the notes are.
    seed
        Other seeds give other notes.
    keys
        Whether pitches are those of the keys of a piano: whole MIDI numbers, each as often, both ends of the range
        among them.

    Raises
    ------
    UsageError
        When an option is out of range.
    """

    unreadable: Sequence[str] = ()

    def __init__(
        self,
        count: int = 10000,
        timbres: tuple[Timbre, ...] = TIMBRES,
        low: float = 48.0,
        high: float = 84.0,
        rate: int = 8000,
        seconds: float = 1.0,
        seed: int = 0,
        keys: bool = False,
    ) -> None:
        if count < 1:
            raise UsageError(f"count is {count}; a source needs at least 1 note")
        if not timbres or len(set(timbres)) < len(timbres):
            raise UsageError(f"timbres are {', '.join(timbres) or 'none'}; name at least one, and each once")
        highest = 69 + 12 * math.log2(rate / 4 / 440) if rate > 0 else -math.inf
        if not low <= high <= highest:
            raise UsageError(f"low={low:g} and high={high:g}: with rate={rate}, low <= high <= {highest:.1f} is needed")
        if not SHORTEST <= seconds < math.inf:
            raise UsageError(f"seconds is {seconds:g}; a note needs at least {SHORTEST}")
        if seed < 0:
            raise UsageError(f"seed is {seed}; it must be at least 0")
        if keys and math.ceil(low) > high:
            raise UsageError(f"low={low:g} and high={high:g}: with keys, there must be a whole number between them")
        self.classes: Sequence[str] = timbres
        self.count = count
        self.timbres = timbres
        self.low, self.high = low, high
        self.rate = rate
        self.frames = round(seconds * rate)
        self.seed = seed
        self.keys = keys

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Example:
        """Play a note."""
        rng = np.random.default_rng((self.seed, index))
        timbre, pitch = self.label(index), self._pitch(rng)
        frequency = to_hertz(pitch)
        wave = INSTRUMENTS[timbre](frequency, self.frames, self.rate, rng)
        sound = Sound(_finished(wave, rng.uniform(QUIETEST, LOUDEST), self.rate), self.rate)
        article = "an" if timbre[0] in "aeiou" else "a"
        played = f"playing {note_name(round(pitch))}" if self.keys else f"at {frequency:.1f} Hz"
        caption = f"{article} {timbre} {played}"
        return Example(sound, self.name(index), timbre, caption, {"pitch": pitch})

    def name(self, index: int) -> str:
        """Give "note 17"."""
        return f"note {index}"

    def label(self, index: int) -> Timbre:
        """Give the timbre."""
        return self.timbres[index % len(self.timbres)]

    def _pitch(self, rng: np.random.Generator) -> float:
        if self.keys:
            return float(rng.integers(math.ceil(self.low), math.floor(self.high), endpoint=True))
        return float(rng.uniform(self.low, self.high))


def _finished(wave: Wave, peak: float, rate: int) -> Samples:
    """Fade the end out and bring the peak to a level in decibels."""
    fade = round(FADE * rate)
    wave = wave.copy()
    wave[-fade:] *= (1 + np.cos(np.linspace(0, math.pi, fade))) / 2
    wave *= 10 ** (peak / 20) / np.abs(wave).max()
    return wave.astype(np.float32)[None]

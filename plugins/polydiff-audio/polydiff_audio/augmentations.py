"""Random changes to a sound that keep what it is.

All but `Crop` and `Shift` read the whole of what they are given: in a recipe, `crop` comes first.
"""

from __future__ import annotations

from math import ceil, inf
from pathlib import Path
from typing import Literal

import numpy as np

from polydiff.errors import DataError, UsageError
from polydiff_audio.folder import Folder
from polydiff_audio.resample import resample
from polydiff_audio.sound import Audible, Samples, Sound


class Crop:
    """Take a part of the sound, anywhere in it; a sound that is no longer than that stays whole.

    Parameters
    ----------
    seconds
        The part's length. The codec takes the start of what it is given, so its `duration` belongs here; with
        less, the end of each example is padding.
    """

    def __init__(self, seconds: float) -> None:
        _check_seconds(seconds)
        self.seconds = seconds

    def __call__(self, content: Audible, rng: np.random.Generator) -> Audible:
        """Draw where the part starts; a recording is not read."""
        frames = ceil(self.seconds * content.rate - 1e-6)
        if content.frames <= frames:
            return content
        return content.cut(int(rng.integers(content.frames - frames + 1)), frames)


class Shift:
    """Move the sound earlier or later within its length; silence comes in at one end as it goes out at the other.

    Parameters
    ----------
    seconds
        It moves by up to so much either way, uniformly, and by half of its length at most.
    """

    def __init__(self, seconds: float = 0.05) -> None:
        _check_seconds(seconds)
        self.seconds = seconds

    def __call__(self, content: Audible, rng: np.random.Generator) -> Sound:
        """Draw how far to move, and move."""
        most = min(round(self.seconds * content.rate), content.frames // 2)
        later = int(rng.integers(-most, most, endpoint=True))
        stays = content.cut(max(0, -later), content.frames - abs(later)).samples
        return Sound(np.pad(stays, ((0, 0), (max(0, later), max(0, -later)))), content.rate)


class Gain:
    """Make the sound louder or softer.

    Parameters
    ----------
    low_db, high_db
        The change in dB, uniformly from one to the other. Nothing is clipped: peaks may end up beyond full scale.
    """

    def __init__(self, low_db: float = -6.0, high_db: float = 0.0) -> None:
        _check_range(low_db, high_db)
        self.low_db = low_db
        self.high_db = high_db

    def __call__(self, content: Audible, rng: np.random.Generator) -> Sound:
        """Draw the change, and scale."""
        return Sound(content.samples * _factor(rng.uniform(self.low_db, self.high_db)), content.rate)


class Polarity:
    """Turn the sound upside down with probability `p`; nobody hears it."""

    def __init__(self, p: float = 0.5) -> None:
        _check_probability(p)
        self.p = p

    def __call__(self, content: Audible, rng: np.random.Generator) -> Audible:
        """Flip a coin, and perhaps the sign."""
        return Sound(-content.samples, content.rate) if rng.random() < self.p else content


class Noise:
    """Add noise.

    Parameters
    ----------
    low_db, high_db
        The signal-to-noise ratio in dB, uniformly from one to the other: the root mean square of the sound over that
        of the noise. Silence stays silent.
    color
        `white` has the same power at all frequencies, `pink` in all octaves.
    p
        The probability that noise is added.
    """

    def __init__(
        self,
        low_db: float = 20.0,
        high_db: float = 40.0,
        color: Literal["white", "pink"] = "white",
        p: float = 0.5,
    ) -> None:
        _check_range(low_db, high_db)
        _check_probability(p)
        self.low_db = low_db
        self.high_db = high_db
        self.color = color
        self.p = p

    def __call__(self, content: Audible, rng: np.random.Generator) -> Audible:
        """Draw whether, how loud and which noise; that of each channel is its own."""
        if rng.random() >= self.p:
            return content
        ratio = rng.uniform(self.low_db, self.high_db)
        noise = rng.standard_normal((content.channels, content.frames), dtype=np.float32)
        return _added(content, _pink(noise) if self.color == "pink" else noise, ratio)


class Mix:
    """Add recordings of a folder in the background.

    Parameters
    ----------
    path
        The folder; of its recordings, and of their parts, all are equally likely. One that is shorter than the sound is
        repeated.
    low_db, high_db
        The signal-to-background ratio in dB, uniformly from one to the other: the root mean square of the sound over
        that of the background. To silence nothing is added.
    p
        The probability that something is added.
    """

    def __init__(self, path: Path, low_db: float = 5.0, high_db: float = 20.0, p: float = 0.5) -> None:
        _check_range(low_db, high_db)
        _check_probability(p)
        self.background = Folder(path, channels="mix")
        if self.background.unreadable:
            raise DataError(f"{path}: {self.background.unreadable[0]}; take it out of the folder")
        self.low_db = low_db
        self.high_db = high_db
        self.p = p

    def __call__(self, content: Audible, rng: np.random.Generator) -> Audible:
        """Draw whether, how loud, which recording and which part of it; only that part is read.

        Raises
        ------
        DataError
            When the recording cannot be read; the message names it.
        """
        if rng.random() >= self.p:
            return content
        ratio = rng.uniform(self.low_db, self.high_db)
        example = self.background[int(rng.integers(len(self.background)))]
        recording: Audible = example.content
        frames = min(ceil(content.frames * recording.rate / content.rate), recording.frames)
        part = recording.cut(int(rng.integers(recording.frames - frames + 1)), frames)
        try:
            background = resample(part.samples, recording.rate, content.rate)
        except DataError as error:
            raise DataError(f"the background {example.name}: {error}") from error
        repeats = ceil(content.frames / background.shape[1])
        return _added(content, np.tile(background, repeats)[:, : content.frames], ratio)


def _added(content: Audible, noise: Samples, ratio: float) -> Sound:
    """Add noise, (channels or 1, frames), at a signal-to-noise ratio in dB."""
    samples = content.samples
    level = _rms(noise)
    factor = 0.0 if level == 0 else _rms(samples) / level * _factor(-ratio)
    return Sound(samples + noise * np.float32(factor), content.rate)


def _pink(white: Samples) -> Samples:
    """Shape white noise, (channels, frames), to a power that is inverse to frequency; what is constant goes."""
    spectrum = np.fft.rfft(white)
    spectrum[:, 1:] /= np.sqrt(np.arange(1, spectrum.shape[1]))
    spectrum[:, 0] = 0
    return np.fft.irfft(spectrum, white.shape[1]).astype(np.float32)


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def _factor(decibels: float) -> np.float32:
    return np.float32(10 ** (decibels / 20))


def _check_seconds(seconds: float) -> None:
    if not 0 < seconds < inf:
        raise UsageError(f"seconds is {seconds:g}; it must be a length in seconds above 0")


def _check_range(low_db: float, high_db: float) -> None:
    if not -120 <= low_db <= high_db <= 120:
        raise UsageError(f"low_db is {low_db:g} and high_db {high_db:g}; they go from low to high, within -120 and 120")


def _check_probability(p: float) -> None:
    if not 0 <= p <= 1:
        raise UsageError(f"p is {p:g}; a probability lies between 0 and 1")

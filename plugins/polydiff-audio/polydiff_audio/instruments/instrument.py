"""What an instrument is."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float64]
"""(frames,), of any level."""


class Instrument(Protocol):
    """Plays one note."""

    def __call__(self, frequency: float, frames: int, rate: int, rng: np.random.Generator) -> Wave:
        """Play a note that starts at once.

        Parameters
        ----------
        frequency
            The pitch in Hz, at most a quarter of the rate.
        frames
            How many samples to play; the note may ring on beyond them.
        rate
            Samples per second.
        rng
            Gives everything about the note but its pitch.
        """


def falling(seconds: float, frames: int, rate: int) -> Wave:
    """Fall exponentially from 1, by 60 dB in so many seconds."""
    wave: Wave = np.exp(-3 * math.log(10) / (seconds * rate) * np.arange(frames))
    return wave

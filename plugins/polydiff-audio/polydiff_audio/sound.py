"""Sounds: what sources give, augmentations change, codecs encode and decode, and writers write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
"""(channels, frames); full scale is [-1, 1], and nothing keeps a sound within it."""


class Audible(Protocol):
    """A sound, in memory or not yet read."""

    @property
    def rate(self) -> int:
        """Frames per second, in Hz."""

    @property
    def frames(self) -> int:
        """Length, known without reading the samples."""

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo, left first; known without reading the samples."""

    @property
    def samples(self) -> Samples:
        """All samples; raises `DataError` when they cannot be read."""

    def cut(self, start: int, frames: int) -> Audible:
        """Give the part from frame `start`, without reading it; both ends lie within the sound."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound in memory."""

    samples: Samples
    rate: int

    @property
    def frames(self) -> int:
        """Length."""
        return int(self.samples.shape[1])

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo, left first."""
        return int(self.samples.shape[0])

    def cut(self, start: int, frames: int) -> Sound:
        """Give the part from frame `start`; both ends lie within the sound."""
        assert 0 <= start <= start + frames <= self.frames, "a part outside of the sound"
        return Sound(self.samples[:, start : start + frames], self.rate)

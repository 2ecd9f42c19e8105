"""Sounds as numbers, for `polydiff data check`."""

from __future__ import annotations

from polydiff.data.description import Description
from polydiff_audio.sound import Audible


def describe(sound: Audible) -> Description:
    """Give duration, rate and channels, and the samples; raise `DataError` when they cannot be read."""
    sizes = {"seconds": sound.frames / sound.rate, "rate": sound.rate, "channels": sound.channels}
    return Description(sizes, sound.samples.T)

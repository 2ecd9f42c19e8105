"""A bell by frequency modulation."""

from __future__ import annotations

import math

import numpy as np

from polydiff_audio.instruments.instrument import Wave, falling

RATIO = 1.4
"""Of the modulator's frequency to the carrier's; the partials of the strike are inharmonic."""


def bell(frequency: float, frames: int, rate: int, rng: np.random.Generator) -> Wave:
    """Strike a bell more or less hard.

    Chowning, The Synthesis of Complex Audio Spectra by Means of Frequency Modulation, J. Audio Eng. Soc. 21(7),
    1973, section on percussive sounds. The clangour dies away before the tone, which is the carrier: the pitch.
    """
    modulator = RATIO * frequency
    room = (rate / 2 - frequency) / modulator - 1  # by Carson's rule the partials stay below half the rate
    index = min(rng.uniform(1, 4), room) * falling(rng.uniform(0.4, 1), frames, rate)
    phase = 2 * math.pi * np.arange(frames) / rate
    tone: Wave = np.sin(frequency * phase + index * np.sin(modulator * phase))
    return tone * falling(rng.uniform(1.2, 4), frames, rate)

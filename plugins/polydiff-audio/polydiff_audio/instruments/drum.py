"""A tom-tom."""

from __future__ import annotations

import math

import numpy as np

from polydiff_audio.instruments.instrument import Wave, falling

OVERTONE = 1.593
"""The second mode of a circular membrane, of the first: the ratio of the first zeros of the Bessel functions J1, J0."""


def drum(frequency: float, frames: int, rate: int, rng: np.random.Generator) -> Wave:
    """Hit a drum: its skin, tightened by the blow, slackens within some hundredths of a second to the pitch."""
    time = np.arange(frames) / rate
    rise, fall = rng.uniform(0.2, 0.8), rng.uniform(0.008, 0.02)
    turns = frequency * (time + rise * fall * (1 - np.exp(-time / fall)))
    tone = np.sin(2 * math.pi * turns) * falling(rng.uniform(0.5, 1), frames, rate)
    second = np.sin(2 * math.pi * OVERTONE * turns) * falling(rng.uniform(0.1, 0.25), frames, rate)
    stick = rng.uniform(-1, 1, frames) * falling(rng.uniform(0.02, 0.08), frames, rate)
    wave: Wave = tone + rng.uniform(0.1, 0.5) * second + rng.uniform(0.2, 0.8) * stick
    return wave

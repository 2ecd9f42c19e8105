"""An electric organ."""

from __future__ import annotations

import math

import numpy as np

from polydiff_audio.instruments.instrument import Wave

DRAWBARS = (1, 2, 3, 4, 5, 6, 8)
"""The pipes' frequencies, of the pitch: 8', 4', 2 2/3', 2', 1 3/5', 1 1/3' and 1'. The two below 8' would lower it."""

STEP = 10 ** (3 / 20)
"""Of loudness, for each of the 8 positions of a drawbar."""


def organ(frequency: float, frames: int, rate: int, rng: np.random.Generator) -> Wave:
    """Hold a key for some time, with drawbars pulled out at random, the 8' one fully."""
    pulled = rng.integers(0, 9, len(DRAWBARS))
    pulled[0] = 8
    phases = rng.uniform(0, 2 * math.pi, len(DRAWBARS))
    time = np.arange(frames) / rate
    wave = np.zeros(frames)
    for ratio, position, phase in zip(DRAWBARS, pulled, phases, strict=True):
        if position and ratio * frequency < rate / 2:
            wave += STEP ** (position - 8.0) * np.sin(2 * math.pi * ratio * frequency * time + phase)
    tremolo = 1 + rng.uniform(0, 0.3) * np.sin(2 * math.pi * (rng.uniform(5, 7) * time + rng.uniform()))
    end = rng.uniform(0.5, 0.95) * frames / rate
    attack, release = rng.uniform(0.005, 0.03, 2)
    wave *= tremolo * np.clip(time / attack, 0, 1) * np.clip((end - time) / release, 0, 1)
    return wave

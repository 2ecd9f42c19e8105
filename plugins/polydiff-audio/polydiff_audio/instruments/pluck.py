"""A plucked string."""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from polydiff_audio.instruments.instrument import Wave

DAMPING = 0.5
"""Of the loop's low-pass (d / 2, 1 - d, d / 2) the largest d, at which half the rate is silenced."""


def pluck(frequency: float, frames: int, rate: int, rng: np.random.Generator) -> Wave:
    """Pluck a string: near its end or towards its middle, with more or less noise of the finger, dull or bright."""
    period = rate / frequency
    burst = rng.uniform(0.1, 0.6) * rng.uniform(-1, 1, math.ceil(period))
    burst[0] += 1
    burst[round(rng.uniform(0.1, 0.5) * period)] -= 1
    burst -= burst.mean()  # or the string would ring at 0 Hz, too
    burst = np.pad(burst, (0, max(0, frames - len(burst))))[:frames]
    ring, dullness = rng.uniform(0.6, 2.5), rng.uniform(0.2, 0.9)
    return string(burst, frequency, rate, ring=ring, dullness=dullness)


def string(burst: Wave, frequency: float, rate: int, *, ring: float, dullness: float) -> Wave:
    """Send a burst around the loop of a string: a delay, a symmetric low-pass and an all-pass that tunes it exactly.

    Karplus & Strong, Computer Music Journal 7(2), 1983, as Jaffe & Smith extended it in the same issue.

    Parameters
    ----------
    burst
        What excites the string.
    frequency
        Of the fundamental, exactly; at most a quarter of the rate.
    ring
        Seconds in which the fundamental falls by 60 dB.
    dullness
        In (0, 1): the share of the fundamental's loss that the low-pass has, which takes more from higher partials.
    """
    omega = 2 * math.pi * frequency / rate
    gain = 10 ** (-3 / (frequency * ring))  # of the fundamental, once around
    damping = min(DAMPING, (1 - gain**dullness) / (1 - math.cos(omega)))
    rest = gain / (1 - damping * (1 - math.cos(omega)))  # <= 1: no partial can grow
    delay = math.floor(rate / frequency - 1.5)
    tuning = rate / frequency - 1 - delay  # in [0.5, 1.5): the all-pass's phase delay; the low-pass's is 1
    c = math.sin((1 - tuning) * omega / 2) / math.sin((1 + tuning) * omega / 2)
    low_pass = np.array([damping / 2, 1 - damping, damping / 2])
    loop = np.zeros(delay + 4)
    loop[:2] = 1, c
    loop[delay:] -= rest * np.convolve(low_pass, (c, 1))
    wave: Wave = lfilter((1, c), loop, burst)
    return wave

"""Silence at the ends of a sound."""

from __future__ import annotations

import numpy as np

from polydiff_audio.sound import Samples

_STRETCH = 0.01
"""Seconds that are judged together; a period of 100 Hz."""


def trim(samples: Samples, rate: int, below: float) -> Samples:
    """Cut off what is quiet at both ends, in steps of 10 ms.

    Parameters
    ----------
    samples
        (channels, frames), at least one frame.
    rate
        In Hz.
    below
        A stretch of 10 ms is quiet when its root mean square, over all channels, is more than so many dB below
        that of the loudest. Of silence all are as loud as the loudest, so that it comes back as it is.

    Returns
    -------
    (channels, frames left), a view.
    """
    stretch = max(1, round(_STRETCH * rate))
    starts = np.arange(0, samples.shape[1], stretch)
    energy = np.add.reduceat(np.square(samples, dtype=np.float64).mean(axis=0), starts)
    power = energy / np.diff(starts, append=samples.shape[1])
    loud = np.flatnonzero(power >= power.max() * 10 ** (-below / 10))
    return samples[:, loud[0] * stretch : (loud[-1] + 1) * stretch]

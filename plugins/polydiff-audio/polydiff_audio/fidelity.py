"""How true a sound is to another."""

from __future__ import annotations

import math

import numpy as np

from polydiff_audio.sound import Sound

LIMIT_DB = 100.0
"""Ratios beyond it, in both directions, are taken for it: of float32 there is no more to tell."""


def fidelity(content: Sound, original: Sound) -> dict[str, float]:
    """Give the scale-invariant signal-to-distortion ratio (Le Roux et al. 2019, "SDR - half-baked or well done?").

    10 log10(|a s|^2 / |a s - s'|^2), where a = <s', s> / |s|^2 scales the original s to what came back, s'; within
    +-100 dB.
    """
    ours, true = (np.asarray(sound.samples, np.float64).ravel() for sound in (content, original))
    energy = float(true @ true)
    target = (float(ours @ true) / energy if energy else 0.0) * true
    distortion = ours - target
    signal, noise = float(target @ target), float(distortion @ distortion)
    if not signal or not noise:
        return {"si_sdr_db": LIMIT_DB if not noise else -LIMIT_DB}
    return {"si_sdr_db": float(np.clip(10 * math.log10(signal / noise), -LIMIT_DB, LIMIT_DB))}

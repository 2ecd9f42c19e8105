"""How true a picture is to another."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

ERROR_FLOOR = 1e-10
"""The least squared error, of levels in [0, 1], that is told from none: 100 dB."""


def fidelity(content: Image.Image, original: Image.Image) -> dict[str, float]:
    """Give the peak signal-to-noise ratio, 10 log10(1 / mean squared error) of levels in [0, 1], at most 100 dB."""
    levels, true = (np.asarray(picture, np.float64) / 255 for picture in (content, original))
    error = float(np.square(levels - true).mean())
    return {"psnr_db": -10 * math.log10(max(error, ERROR_FLOOR))}

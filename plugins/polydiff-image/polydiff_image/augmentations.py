"""Random changes to a picture that keep what it shows."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageStat

from polydiff.errors import UsageError

_LUMA = np.array([0.299, 0.587, 0.114])


class Flip:
    """Mirror left and right with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p <= 1:
            raise UsageError(f"p is {p:g}; a probability lies between 0 and 1")
        self.p = p

    def __call__(self, content: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Flip a coin, and perhaps the picture."""
        return content.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if rng.random() < self.p else content


class Crop:
    """Cut out a window of the picture's proportions, anywhere in it.

    Parameters
    ----------
    smallest
        The window's sides are from this fraction to the whole of the picture's, uniformly.
    """

    def __init__(self, smallest: float = 0.8) -> None:
        if not 0 < smallest <= 1:
            raise UsageError(f"smallest is {smallest:g}; it must be above 0 and at most 1")
        self.smallest = smallest

    def __call__(self, content: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Draw the window's size and place, and cut."""
        scale = rng.uniform(self.smallest, 1)
        width, height = max(1, round(content.width * scale)), max(1, round(content.height * scale))
        left = int(rng.integers(content.width - width + 1))
        top = int(rng.integers(content.height - height + 1))
        return content.crop((left, top, left + width, top + height))


class Jitter:
    """Change brightness, contrast and saturation, each by a factor from 1 - strength to 1 + strength.

    Parameters
    ----------
    brightness, contrast, saturation
        The strengths, from 0 (no change) to 1. Contrast is changed about the picture's mean grey.
    """

    def __init__(self, brightness: float = 0.1, contrast: float = 0.1, saturation: float = 0.1) -> None:
        strengths = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        for name, strength in strengths.items():
            if not 0 <= strength <= 1:
                raise UsageError(f"{name} is {strength:g}; it must lie between 0 and 1")
        self.strengths = np.array([brightness, contrast, saturation])

    def __call__(self, content: Image.Image, rng: np.random.Generator) -> Image.Image:
        """Draw the three factors and apply them in one pass over the pixels; alpha stays as it is."""
        brightness, contrast, saturation = 1 + self.strengths * rng.uniform(-1, 1, 3)
        gain = brightness * contrast
        offset = brightness * (1 - contrast) * _mean_grey(content)
        if content.mode == "F":
            return content.point(lambda level: level * gain + offset)
        if content.mode in {"L", "LA"}:
            levels = np.clip(np.arange(256) * gain + offset, 0, 255).round().astype(int).tolist()
            changed = content.getchannel("L").point(levels)
        else:
            matrix = gain * (saturation * np.eye(3) + (1 - saturation) * _LUMA)
            rows = np.column_stack([matrix, np.full(3, offset)])
            changed = content.convert("RGB").convert("RGB", tuple(rows.ravel()))
        if content.mode in {"LA", "RGBA"}:
            changed.putalpha(content.getchannel("A"))
        return changed


def _mean_grey(picture: Image.Image) -> float:
    if picture.mode == "F":
        return float(np.asarray(picture).mean())
    return ImageStat.Stat(picture.convert("L")).mean[0]

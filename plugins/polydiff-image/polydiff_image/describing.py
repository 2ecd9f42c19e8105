"""Pictures as numbers, for `polydiff data check`."""

from __future__ import annotations

import numpy as np
from PIL import Image

from polydiff.data.description import Description


def describe(picture: Image.Image) -> Description:
    """Give width, height and aspect ratio, and the pixels."""
    sizes = {"width": picture.width, "height": picture.height, "aspect": picture.width / picture.height}
    return Description(sizes, np.asarray(picture).reshape(-1, len(picture.getbands())))

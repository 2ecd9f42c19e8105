"""What networks of grids ask of the shape of their data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from polydiff.errors import UsageError


def check_grid(shape: tuple[int, ...], *, channels: int, dimension: int, factor: int) -> None:
    """Raise UsageError unless `shape`, (C, *), has these channels and `dimension` sizes that the factor divides."""
    found, *sizes = shape
    if found != channels:
        raise UsageError(f"the data have {found} channels; this network takes {channels}")
    if len(sizes) != dimension:
        raise UsageError(f"the data have {len(sizes)} dimensions; this network takes {dimension}")
    if any(size % factor for size in sizes):
        below = [max(size // factor, 1) * factor for size in sizes]
        above = [math.ceil(size / factor) * factor for size in sizes]
        near = " or ".join(dict.fromkeys(map(_by, (below, above))))
        what = _by(sizes) if len(sizes) > 1 else f"a length of {sizes[0]}"
        raise UsageError(f"{what} is not a multiple of {factor}, the network's factor; nearest: {near}")


def _by(sizes: Sequence[int]) -> str:
    """Write sizes as people do, the last axis (the width of a picture) first."""
    return " x ".join(map(str, reversed(sizes)))

"""Between curves and tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polydiff.data.codec import Codec
from polydiff.errors import UsageError


class Points(Codec):
    """Curves as (1, points), values as they are: they should lie about within -1 and 1.

    Parameters
    ----------
    points
        Curves of another length are interpolated linearly.
    """

    def __init__(self, points: int = 64) -> None:
        super().__init__()
        self.points = points

    @property
    def channels(self) -> int:
        """One."""
        return 1

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, points)."""
        return 1, self.points

    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read a number of points: "128"."""
        if not size.isdecimal() or int(size) < 2:
            raise UsageError(f"'{size}' is no number of points; say {self.points}, for one")
        return 1, int(size)

    def encode(self, content: NDArray[np.float32]) -> Tensor:
        """Bring a curve to the codec's length."""
        if len(content) != self.points:
            places = np.linspace(0, len(content) - 1, self.points)
            content = np.interp(places, np.arange(len(content)), content).astype(np.float32)
        return torch.from_numpy(np.array(content)[None])

    def decode(self, x: Tensor) -> list[NDArray[np.float32]]:
        """Make curves of a batch (B, 1, points), however many points there are."""
        return list(x.detach().squeeze(1).float().cpu().numpy())

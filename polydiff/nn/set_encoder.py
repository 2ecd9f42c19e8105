"""The encoder of sets: elements whose order means nothing."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from polydiff.errors import UsageError
from polydiff.nn.encoder import Encoder


class SetEncoder(Encoder):
    """Each element by itself through a perceptron, and of all the largest and the mean of each feature.

    In the manner of PointNet (Qi et al. 2017, https://arxiv.org/abs/1612.00593), without its alignment networks. Each
    layer but the first sees the largest features of the whole set beside those of the element.

    Parameters
    ----------
    data_shape
        (C, N): N elements of C numbers.
    width
        Of the features.
    layers
        Of the perceptron.

    Raises
    ------
    UsageError
        When an option is below 1, or the data are no such set.
    """

    def __init__(self, data_shape: tuple[int, ...], *, width: int = 128, layers: int = 3) -> None:
        super().__init__(data_shape)
        if len(data_shape) != 2 or width < 1 or layers < 1:
            raise UsageError(
                "encoder 'set' takes data of one dimension, width >= 1 and layers >= 1, "
                f"got {len(data_shape) - 1}, {width} and {layers}"
            )
        self.width = width
        self.first = nn.Linear(data_shape[0], width)
        self.rest = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.SiLU()) for _ in range(layers - 1)
        )
        self.join = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map data, (B, C, N), to (B, width)."""
        h = nn.functional.silu(self.first(x.transpose(1, 2)))
        for layer in self.rest:
            whole = h.amax(1, keepdim=True).expand_as(h)
            h = h + layer(torch.cat((h, whole), -1))
        out: Tensor = self.join(torch.cat((h.amax(1), h.mean(1)), -1))
        return out

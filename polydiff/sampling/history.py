"""What multistep methods remember."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from polydiff.sampling.sampler import Level


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier level and the estimate of x_0 made there."""

    level: Level
    x0: Tensor

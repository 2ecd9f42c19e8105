"""From data to the noise that a deterministic sampler makes it of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import Seeds
from polydiff.errors import UsageError
from polydiff.sampling.grid import Grid, time_grid
from polydiff.sampling.mirror import MirroredDenoiser
from polydiff.sampling.sampler import Sampler


def invert_with(
    sampler: Sampler,
    denoiser: Denoiser,
    x_0: Tensor,
    *,
    steps: int | None = None,
    times: Tensor | Sequence[float] | None = None,
    cond: Condition | None = None,
    grid: str | Grid = "half-log-snr",
) -> Tensor:
    """Follow the probability flow from data to noise by a deterministic sampler; `polydiff.invert` has the rest.

    Raises
    ------
    UsageError
        When not exactly one of `steps` and `times` is given, `times` do not increase, or the sampler draws noise.
    """
    if (steps is None) == (times is None):
        raise UsageError("inversion needs either steps or times")
    if steps is None:
        path = torch.as_tensor(times, dtype=torch.float64)
        if path.ndim != 1 or len(path) < 2 or not (path.diff() > 0).all():
            raise UsageError("times of an inversion must be at least two numbers, each larger than the one before")
    else:
        path = time_grid(grid, denoiser.schedule, steps).flip(0)
    return sampler.sample(MirroredDenoiser(denoiser), x_0, times=1 - path, cond=cond, seeds=_NoSeeds(0, ()))


class _NoSeeds(Seeds):
    """Refuses to draw."""

    def normal(self, *_: object, **__: object) -> Tensor:
        raise UsageError("inversion follows the probability flow, and this sampler draws noise; choose another")

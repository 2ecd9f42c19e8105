"""Classifier-free guidance: away from the unconditional estimate, through the conditional one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polydiff.core.condition import Condition, concatenate
from polydiff.core.denoiser import Denoiser, per_sample
from polydiff.errors import UsageError


class ClassifierFree(Denoiser):
    """u + scale (c - u), with u the unconditional and c the conditional estimate (Ho & Salimans 2022,
    https://arxiv.org/abs/2207.12598).

    Both are evaluated in one call. Where there is no condition, where `scale` is 1 and outside the interval, the
    estimate is the conditional one and nothing more is evaluated.

    Parameters
    ----------
    denoiser
        Trained with conditions and without.
    scale
        1 is plain conditional, 0 unconditional.
    interval
        The times, both ends included, at which to guide (Kynkäänniemi et al. 2024, https://arxiv.org/abs/2404.07724).
    rescale
        The share, 0 to 1, by which each sample's std is brought back to that of c (Lin et al. 2024,
        https://arxiv.org/abs/2305.08891, eq. 15-16, here on x_0).
    """

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        scale: float,
        interval: tuple[float, float] = (0.0, 1.0),
        rescale: float = 0.0,
    ) -> None:
        super().__init__()
        if not math.isfinite(scale):
            raise UsageError(f"guidance 'cfg' needs a finite scale, got {scale}")
        if not 0 <= interval[0] < interval[1] <= 1:
            raise UsageError(f"guidance 'cfg' needs an interval of times within 0 and 1, got {list(interval)}")
        if not 0 <= rescale <= 1:
            raise UsageError(f"guidance 'cfg' needs a rescale between 0 and 1, got {rescale}")
        self.schedule = denoiser.schedule
        self.denoiser = denoiser
        self.scale = scale
        self.interval = interval
        self.rescale = rescale

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the guided estimate of x_0."""
        if cond is None or self.scale == 1:
            return self._estimate(x_t, t, cond)
        inside = (t >= self.interval[0]) & (t <= self.interval[1])
        if not inside.any():
            return self._estimate(x_t, t, cond)
        twice = t if t.ndim == 0 else torch.cat([t, t])
        c, u = self._estimate(torch.cat([x_t, x_t]), twice, concatenate([cond, cond.null()])).chunk(2)
        x0 = torch.lerp(u, c, self.scale)
        if self.rescale > 0:
            dims = tuple(range(1, x0.ndim))
            x0 = x0 * torch.lerp(
                torch.ones_like(x0), c.std(dims, keepdim=True) / x0.std(dims, keepdim=True), self.rescale
            )
        return x0 if inside.all() else torch.where(per_sample(inside, x0).to(x0.device), x0, c)

    def _estimate(self, x_t: Tensor, t: Tensor, cond: Condition | None) -> Tensor:
        x0: Tensor = self.denoiser(x_t, t, cond)
        return x0

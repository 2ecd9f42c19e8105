"""Classifier-free guidance: away from the unconditional estimate, through the conditional one."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.core.denoiser import Denoiser
from polydiff.errors import UsageError
from polydiff.guidance.base import ALWAYS, ConditionGuidance


class ClassifierFree(ConditionGuidance):
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

    name = "cfg"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        scale: float,
        interval: tuple[float, float] = ALWAYS,
        rescale: float = 0.0,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        if not 0 <= rescale <= 1:
            raise UsageError(f"guidance 'cfg' needs a rescale between 0 and 1, got {rescale}")
        self.rescale = rescale

    def combine(self, c: Tensor, u: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Extrapolate from u through c."""
        x0 = torch.lerp(u, c, self.scale)
        if self.rescale > 0:
            dims = tuple(range(1, x0.ndim))
            x0 = x0 * torch.lerp(
                torch.ones_like(x0), c.std(dims, keepdim=True) / x0.std(dims, keepdim=True), self.rescale
            )
        return x0

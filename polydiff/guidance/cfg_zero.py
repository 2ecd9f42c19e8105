"""CFG-Zero*: classifier-free guidance on velocities, the unconditional one rescaled and the first steps at rest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, per_sample
from polydiff.errors import UsageError
from polydiff.guidance.base import ALWAYS, ConditionGuidance, inner


class ClassifierFreeZeroStar(ConditionGuidance):
    """Fan et al. 2025, https://arxiv.org/abs/2503.18886, on any schedule.

    On velocities v = eps - x_0 of the flow schedule: v = s* v_u + scale (v_c - s* v_u), where s* = <v_c, v_u> / |v_u|^2
    brings each sample's unconditional velocity nearest to the conditional one, and v = 0 in the first steps of a walk.

    Every schedule is the flow schedule in x_t / (alpha + sigma), at the time with the same log-SNR, and there sigma v =
    x_t - (alpha + sigma) x0. In these terms nothing is divided by sigma: with d = x_t - (alpha + sigma) x0 of both
    estimates, x0 = (x_t - s* d_u - scale (d_c - s* d_u)) / (alpha + sigma), and at rest x0 = x_t / (alpha + sigma).

    Called by itself, outside a walk, it is in none of the first steps.

    Parameters
    ----------
    denoiser
        Trained with conditions and without.
    scale
        1 is plain conditional.
    zero_steps
        How many steps of a walk are at rest; the network is not evaluated in them.
    interval
        The times, both ends included, at which to guide.
    """

    name = "cfg-zero*"

    def __init__(
        self,
        denoiser: Denoiser,
        *,
        scale: float,
        zero_steps: int = 1,
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        super().__init__(denoiser, scale, interval)
        if zero_steps < 0:
            raise UsageError(f"guidance 'cfg-zero*' needs zero_steps of at least 0, got {zero_steps}")
        self.zero_steps = zero_steps
        self.at_rest = False

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Hold the first steps at rest."""
        return [
            self.copied(denoiser=each, at_rest=index < self.zero_steps)
            for index, each in enumerate(self.denoiser.along(times))
        ]

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the guided estimate of x_0."""
        if self.at_rest and cond is not None and cond.asks:
            return x_t / self._total(x_t, t)
        return super().forward(x_t, t, cond)

    def combine(self, c: Tensor, u: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Extrapolate from the rescaled unconditional velocity through the conditional one."""
        total = self._total(x_t, t)
        d_c, d_u = x_t - total * c, x_t - total * u
        length2 = inner(d_u, d_u)
        d_u = torch.where(length2 > 0, inner(d_c, d_u) / length2, 1) * d_u
        return (x_t - torch.lerp(d_u, d_c, self.scale)) / total

    def _total(self, x_t: Tensor, t: Tensor) -> Tensor:
        """Give alpha + sigma."""
        alpha, sigma = self.schedule(t)
        return per_sample(alpha + sigma, x_t).to(x_t)

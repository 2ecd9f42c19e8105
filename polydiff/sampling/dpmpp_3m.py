"""DPM-Solver++(3M): third order, one evaluation a step."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.sampling.dpmpp_2m import at_middle
from polydiff.sampling.exponential import phi
from polydiff.sampling.history import Past
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, advance, bounded, denoise


class DPMpp3M(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2211.01095, with the second difference of third order put right.

    x0 is taken for the parabola in lambda through this estimate and the two before; with its derivatives D' and D'' at
    t, x_s = (sigma_s / sigma_t) x_t + alpha_s (h phi_1 x0 + h^2 phi_2 D' + h^3 phi_3 D''). A parabola's D'' is
    twice its second divided difference. The first two steps are of `dpm++2m`; one that ends at sigma_s = 0, where h is
    infinite, takes the estimate for constant.

    Parameters
    ----------
    published
        Leave out that factor of two, as the paper's reference implementation does; the method is then of second order.
    """

    def __init__(self, *, published: bool = False) -> None:
        self.published = published

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: tuple[Past, ...] | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s."""
        x0 = denoise(denoiser, x_t, t, cond)
        past = carry or ()
        if len(past) == 2 and bounded(past[1].level, s):
            x_s = advance(x_t, x0, t, s) + s.alpha * self._bend(x0, past[0], past[1], t, s)
        else:
            x_s = advance(x_t, at_middle(x0, past[0] if past else None, t, s), t, s)
        return Step(x_s, x0, (Past(t, x0), *past[:1]))

    def _bend(self, x0: Tensor, first: Past, second: Past, t: Level, s: Level) -> Tensor:
        """Give h^2 phi_2 D' + h^3 phi_3 D''."""
        h = s.half_log_snr - t.half_log_snr
        h_1 = t.half_log_snr - first.level.half_log_snr
        h_2 = first.level.half_log_snr - second.level.half_log_snr
        slope = (x0 - first.x0) / h_1
        second_difference = (slope - (first.x0 - second.x0) / h_2) / (h_1 + h_2)
        slope = torch.add(slope, second_difference, alpha=h_1)
        factor = 1 if self.published else 2
        return torch.add(h**2 * phi(2, h) * slope, second_difference, alpha=factor * h**3 * phi(3, h))

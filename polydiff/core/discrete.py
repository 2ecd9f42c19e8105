"""The schedule of models that were trained on a table of noise levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.schedule import VariancePreserving, as_tensor
from polydiff.errors import UsageError


class Discrete(VariancePreserving):
    """A table of T noise levels, so that models trained elsewhere run; entry n (from 0) is at t = (n + 1) / T.

    In between, and down to the data at t = 0, alpha_bar is linear in t.

    Parameters
    ----------
    betas
        The variance added at each of T steps, in (0, 1); or
    alphas_cumprod
        their running product of 1 - beta, strictly decreasing in [0, 1).
    zero_terminal_snr
        Shift and scale the table of sqrt(alpha_bar) so that it ends at 0 (Lin et al. 2024, algorithm 1).

    Raises
    ------
    UsageError
        When not exactly one table is given or it is not one.
    """

    def __init__(
        self,
        *,
        betas: Sequence[float] | None = None,
        alphas_cumprod: Sequence[float] | None = None,
        zero_terminal_snr: bool = False,
    ) -> None:
        if (betas is None) == (alphas_cumprod is None):
            raise UsageError("schedule 'discrete' needs either betas or alphas_cumprod")
        if betas is not None:
            log_alpha_bar = torch.log1p(-torch.as_tensor(betas, dtype=torch.float64)).cumsum(0)
            alpha2, sigma2 = log_alpha_bar.exp(), -torch.expm1(log_alpha_bar)
        else:
            alpha2 = torch.as_tensor(alphas_cumprod, dtype=torch.float64)
            sigma2 = 1 - alpha2
        if zero_terminal_snr:
            alpha = alpha2.sqrt()
            alpha2 = (alpha[0] * (alpha - alpha[-1]) / (alpha[0] - alpha[-1])) ** 2
            sigma2 = 1 - alpha2
        self.alpha2 = torch.cat([alpha2.new_ones(1), alpha2])
        self.sigma2 = torch.cat([sigma2.new_zeros(1), sigma2])
        if not (self.alpha2.diff() < 0).all() or not self.alpha2[-1] >= 0:
            raise UsageError(
                "schedule 'discrete' needs a table whose alphas_cumprod fall strictly, from below 1 to no less than 0"
            )

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Interpolate alpha^2 and sigma^2."""
        t = as_tensor(t)
        alpha2, sigma2 = self.alpha2.to(t), self.sigma2.to(t)
        u = t * (len(alpha2) - 1)
        n = u.floor().long().clamp(0, len(alpha2) - 2)
        w = u - n
        return torch.lerp(alpha2[n], alpha2[n + 1], w).log() - torch.lerp(sigma2[n], sigma2[n + 1], w).log()

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Find the interval, then the place in it, from the smaller of alpha^2 and sigma^2."""
        log_snr = as_tensor(log_snr)
        alpha2, sigma2 = self.alpha2.to(log_snr), self.sigma2.to(log_snr)
        a, s = torch.sigmoid(log_snr), torch.sigmoid(-log_snr)
        n = (torch.searchsorted(sigma2, s.contiguous(), right=True) - 1).clamp(0, len(alpha2) - 2)
        by_sigma = (s - sigma2[n]) / (sigma2[n + 1] - sigma2[n])
        by_alpha = (alpha2[n] - a) / (alpha2[n] - alpha2[n + 1])
        return (n + torch.where(s < a, by_sigma, by_alpha)) / (len(alpha2) - 1)

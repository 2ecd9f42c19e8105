"""The probability flow seen from the other side, with data and noise exchanged.

In x_t = alpha_t x_0 + sigma_t eps the two have the same part, and the flow, dx = x0 d(alpha) + eps d(sigma), does not
change when they are exchanged. What leads from noise to data on one side leads from data to noise on the other: any
deterministic sampler, of any order, and finite at both ends for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, per_sample
from polydiff.core.schedule import Schedule, as_tensor


class MirroredSchedule(Schedule):
    """Another schedule with t -> 1 - t, alpha and sigma exchanged and the sign of log-SNR turned."""

    def __init__(self, base: Schedule) -> None:
        self.base = base

    def log_snr(self, t: Tensor | float) -> Tensor:
        """Give the base's log-SNR at 1 - t, its sign turned."""
        return -self.base.log_snr(1 - as_tensor(t))

    def time(self, log_snr: Tensor | float) -> Tensor:
        """Invert the base."""
        return 1 - self.base.time(-as_tensor(log_snr))

    def coefficients(self, log_snr: Tensor | float) -> tuple[Tensor, Tensor]:
        """Give the base's sigma and alpha."""
        alpha, sigma = self.base.coefficients(-as_tensor(log_snr))
        return sigma, alpha


class MirroredDenoiser(Denoiser):
    """E[eps | x_t], from another denoiser, for the mirrored schedule.

    Where there is no noise, that is (x_t - alpha_t x0) / sigma_t for sigma_t -> 0, which is -sigma_t times the score:
    zero, for data that have a density.
    """

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.schedule = MirroredSchedule(denoiser.schedule)

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Follow the denoiser inside."""
        return [MirroredDenoiser(each) for each in self.denoiser.along(1 - times)]

    def toward(self, s: Tensor) -> Denoiser:
        """Follow the denoiser inside."""
        return MirroredDenoiser(self.denoiser.toward(1 - s))

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the noise that x_t is estimated to hold."""
        x0 = self.denoiser(x_t, 1 - t, cond)
        sigma, alpha = (per_sample(c, x_t).to(x_t) for c in self.schedule(t))
        return torch.where(sigma > 0, (x_t - alpha * x0) / sigma.where(sigma > 0, 1), torch.zeros_like(x_t))

"""Distributions of training times: where on the schedule the network is taught.

Each maps numbers u uniform in (0, 1) to times, increasing in u, so that stratified u give stratified times and equal
parts of (0, 1) are noise bands of equal mass.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError


class Times(ABC):
    """A distribution of times on a schedule, by its quantiles."""

    @abstractmethod
    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give the quantiles t in [0, 1] of u in (0, 1); any shape, float64."""


class Uniform(Times):
    """Every time of the schedule alike: the schedule decides which noise levels matter."""

    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give u itself."""
        return u


class LogitNormal(Times):
    """log(t / (1 - t)) is normal (Esser et al. 2024, https://arxiv.org/abs/2403.03206, section 3.1).

    Parameters
    ----------
    mean, std
        Of the logit; a positive mean favours noise.
    """

    def __init__(self, *, mean: float = 0.0, std: float = 1.0) -> None:
        if std <= 0:
            raise UsageError(f"times 'logit-normal' needs std > 0, got {std}")
        self.mean, self.std = mean, std

    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give sigmoid(mean + std Phi^-1(u))."""
        return torch.sigmoid(self.mean + self.std * torch.special.ndtri(u))


class LogSNRNormal(Times):
    """log-SNR is normal, whatever the schedule, cut to what the schedule reaches.

    log-SNR = -2 log(sigma / alpha), so the defaults are EDM's log sigma ~ N(-1.2, 1.2^2) (Karras et al. 2022,
    https://arxiv.org/abs/2206.00364, table 1).

    Parameters
    ----------
    mean, std
        Of log-SNR.

    Raises
    ------
    UsageError
        When called with a schedule that reaches next to none of the distribution.
    """

    def __init__(self, *, mean: float = 2.4, std: float = 2.4) -> None:
        if std <= 0:
            raise UsageError(f"times 'log-snr-normal' needs std > 0, got {std}")
        self.mean, self.std = mean, std

    def __call__(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give the times of log-SNR = mean - std Phi^-1(u'), u' uniform over the mass between t = 0 and t = 1."""
        first, last = (self._below(float(schedule.log_snr(t))) for t in (0.0, 1.0))
        if last - first < 1e-6:
            raise UsageError(
                f"times 'log-snr-normal' with mean {self.mean} and std {self.std} lies outside the schedule, whose "
                f"log-SNR runs from {float(schedule.log_snr(0.0)):.3g} to {float(schedule.log_snr(1.0)):.3g}"
            )
        log_snr = self.mean - self.std * torch.special.ndtri(first + u * (last - first))
        return schedule.time(log_snr).clamp(0, 1)

    def _below(self, log_snr: float) -> float:
        """Give the mass of the noise levels lower than that of `log_snr`."""
        return math.erfc((log_snr - self.mean) / self.std / math.sqrt(2)) / 2

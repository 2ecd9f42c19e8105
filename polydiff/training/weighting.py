"""Weightings: how much an error counts at each noise level.

Papers weigh the error of eps, x_0, v, ...; here a weighting is a function of log-SNR on the squared error of x_0, and
the prediction says what that is on the network's own output (Kingma & Gao 2023, https://arxiv.org/abs/2303.00848,
table 1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from polydiff.core.prediction import Prediction
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError

LOG_SNR_LIMIT = 40.0
"""Weights are evaluated within this log-SNR, in float64: beyond it they have reached their limits, and at infinity
they would be 0 times infinity."""


class Weighting(ABC):
    """The weight of the squared error of x_0 at each log-SNR."""

    @abstractmethod
    def of_x0(self, log_snr: Tensor) -> Tensor:
        """Give the weight of x_0's squared error; any shape, float64."""

    def of_output(self, log_snr: Tensor, schedule: Schedule, prediction: Prediction) -> Tensor:
        """Give the weight of the network's squared error, finite at infinite log-SNR too."""
        log_snr = log_snr.double().clamp(-LOG_SNR_LIMIT, LOG_SNR_LIMIT)
        return self.of_x0(log_snr) * prediction.x0_error_scale(*schedule.coefficients(log_snr)) ** 2


class Constant(Weighting):
    """1 on the network's own output, whatever that is."""

    def of_x0(self, log_snr: Tensor) -> Tensor:
        """Give 1, which is right where the network's output is x_0."""
        return torch.ones_like(log_snr)

    def of_output(self, log_snr: Tensor, schedule: Schedule, prediction: Prediction) -> Tensor:
        """Give 1."""
        return torch.ones_like(log_snr)


class MinSNR(Weighting):
    """min(SNR, gamma) (Hang et al. 2023, https://arxiv.org/abs/2303.09556, eq. 8)."""

    def __init__(self, *, gamma: float = 5.0) -> None:
        if gamma <= 0:
            raise UsageError(f"weighting 'min-snr' needs gamma > 0, got {gamma}")
        self.gamma = gamma

    def of_x0(self, log_snr: Tensor) -> Tensor:
        """Give min(SNR, gamma)."""
        return log_snr.exp().clamp(max=self.gamma)


class EDM(Weighting):
    """SNR + 1 / data_std^2, which is 1 on the output of the `edm` prediction (Karras et al. 2022, table 1)."""

    def __init__(self, *, data_std: float = 0.5) -> None:
        if data_std <= 0:
            raise UsageError(f"weighting 'edm' needs data_std > 0, got {data_std}")
        self.data_std = data_std

    def of_x0(self, log_snr: Tensor) -> Tensor:
        """Give SNR + 1 / data_std^2."""
        return log_snr.exp() + self.data_std**-2


class Sigmoid(Weighting):
    """sigmoid(bias - log-SNR) on the error of eps (Kingma & Gao 2023; Hoogeboom et al. 2024, https://arxiv.org/abs/2410.19324).

    Parameters
    ----------
    bias
        The log-SNR above which, where only fine detail is left to learn, the weight fades.
    """

    def __init__(self, *, bias: float = 2.0) -> None:
        self.bias = bias

    def of_x0(self, log_snr: Tensor) -> Tensor:
        """Give SNR sigmoid(bias - log-SNR)."""
        return log_snr.exp() * torch.sigmoid(self.bias - log_snr)


class TruncatedSNR(Weighting):
    """max(SNR, 1) (Salimans & Ho 2022, https://arxiv.org/abs/2202.00512, section 4): noise alone counts, too."""

    def of_x0(self, log_snr: Tensor) -> Tensor:
        """Give max(SNR, 1)."""
        return log_snr.exp().clamp(min=1.0)

"""Denoisers: E[x_0 given x_t], whatever is inside."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from torch import Tensor, nn

from polydiff.core.condition import Condition
from polydiff.core.prediction import Prediction
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError

LOG_SNR_LIMIT = 20.0
"""A network is told log-SNR, which is infinite at the ends of some schedules, within +-20."""


class Denoiser(nn.Module, ABC):
    """The estimate of x_0 from x_t on a schedule. Subclass it with anything: samplers and guidances ask for no more."""

    schedule: Schedule

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """The self-attentions that a condition's `perturbed` can switch off, by name, in its order."""
        return ()

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Give the denoiser of each step of one walk along `times`, (N + 1,): N of them.

        That is this one each time, but for guidances that depend on the step or on the walk so far. What is to be
        remembered belongs to the walk: another call begins anew, and `self` never changes.
        """
        return [self] * (len(times) - 1)

    @abstractmethod
    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give E[x_0 | x_t, cond].

        Parameters
        ----------
        x_t
            (B, *).
        t
            () or (B,), in [0, 1].
        cond
            `None` is unconditional.

        Returns
        -------
        Tensor
            As `x_t`.
        """

    def variance(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the variance of each number of x_0 given x_t, as `x_t`, for denoisers that have learned it or know it.

        A network that has learned the variance v of the step from t to s (Nichol & Dhariwal 2021,
        https://arxiv.org/abs/2102.09672) knows it too: v is what `DDPM` makes of this one.

        Raises
        ------
        UsageError
            When this denoiser has no variance: a mean is all that samplers usually ask for.
        """
        raise UsageError(
            f"{type(self).__name__} estimates x_0 alone and has no variance; use variance 'small' or 'large'"
        )


class Around(Denoiser):
    """A denoiser made from one inside."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.schedule = denoiser.schedule
        self.denoiser = denoiser

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """Those of the one inside."""
        return self.denoiser.attention_layers

    def variance(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give that of the one inside."""
        return self.denoiser.variance(x_t, t, cond)

    def along(self, times: Tensor) -> Sequence[Denoiser]:
        """Follow the one inside, if it is not the same at each step."""
        return [self if each is self.denoiser else self.copied(denoiser=each) for each in self.denoiser.along(times)]

    def copied(self, **changes: Any) -> Self:
        """Give a copy with other attributes, which shares everything else."""
        other = copy.copy(self)
        other._modules = dict(self._modules)
        for name, value in changes.items():
            setattr(other, name, value)
        return other


def per_sample(x: Tensor, like: Tensor) -> Tensor:
    """Shape a () or (B,) tensor to broadcast against (B, *)."""
    return x if x.ndim == 0 else x.view(-1, *(1,) * (like.ndim - 1))


class NetworkDenoiser(Denoiser):
    """A network, the schedule of its training and the meaning of its output.

    Parameters
    ----------
    backbone
        Called as `backbone(x, log_snr, cond)` with x_t at about unit variance and log-SNR (B,) within +-20; one whose
        `takes_mask` is true also with the mask of the data, where they have one.
    schedule, prediction
        As in training.

    Raises
    ------
    UsageError
        When the prediction says nothing of x_0 at the schedule's t = 1.
    """

    def __init__(self, backbone: nn.Module, schedule: Schedule, prediction: Prediction) -> None:
        super().__init__()
        if prediction.needs_data and float(schedule(1.0)[0]) == 0:
            raise UsageError("prediction 'eps' cannot serve a schedule whose SNR is zero at t = 1; use 'v' or 'x0'")
        self.backbone = backbone
        self.schedule = schedule
        self.prediction = prediction

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """Those of the backbone."""
        layers: tuple[str, ...] = getattr(self.backbone, "attention_layers", ())
        return layers

    def output(self, x_t: Tensor, t: Tensor, cond: Condition | None = None, mask: Tensor | None = None) -> Tensor:
        """Give the network's own output, as `x_t`; `mask` is 1 where `x_t` is data and 0 where it is padding."""
        return self._output(x_t, *self._level(x_t, t), cond, mask)

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the x_0 that the network's output stands for."""
        log_snr, alpha, sigma = self._level(x_t, t)
        return self.prediction.to_x0(self._output(x_t, log_snr, alpha, sigma, cond), x_t, alpha, sigma)

    def _level(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give log-SNR, alpha and sigma at t, computed where t is and in its precision, for use on `x_t`."""
        log_snr = self.schedule.log_snr(t)
        alpha, sigma = (per_sample(c, x_t).to(x_t) for c in self.schedule.coefficients(log_snr))
        return log_snr, alpha, sigma

    def _output(
        self,
        x_t: Tensor,
        log_snr: Tensor,
        alpha: Tensor,
        sigma: Tensor,
        cond: Condition | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        told = log_snr.clamp(-LOG_SNR_LIMIT, LOG_SNR_LIMIT).to(x_t).expand(x_t.shape[0])
        masked = {"mask": mask} if mask is not None and getattr(self.backbone, "takes_mask", False) else {}
        output: Tensor = self.backbone(x_t * self.prediction.input_scale(alpha, sigma), told, cond, **masked)
        return output.to(x_t.dtype)

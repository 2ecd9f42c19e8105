"""Denoisers: E[x_0 given x_t], whatever is inside."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
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

    def toward(self, s: Tensor) -> Denoiser:
        """Give the flow map to time s, () or (B,), no later than the times that it will be asked at.

        In the place of E[x_0 | x_t] it gives the mean of x_0 along the trajectory from t to s, over alpha / sigma:
        `advance` then leads from x_t to the x_s of that trajectory in one step, however long. Where s is t it is the
        same as E[x_0 | x_t], and where sigma_s = 0 it is the end of the trajectory.

        Raises
        ------
        UsageError
            When this denoiser knows of no flow map: a mean is all that samplers usually ask for.
        """
        raise UsageError(
            "this model has learned no flow map, which sampler 'flow-map' follows; use 'ddim', or distil one: "
            "polydiff distill --method flow-map"
        )

    def copied(self, **changes: Any) -> Self:
        """Give a copy with other attributes, which shares everything else."""
        other = copy.copy(self)
        other._modules = dict(self._modules)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

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

    def toward(self, s: Tensor) -> Denoiser:
        """Follow the one inside."""
        return self.copied(denoiser=self.denoiser.toward(s))


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
    target
        Of a flow map: makes a vector, (B, D), of the log-SNR, (B,) within +-20, of where a step ends, which the
        network is told with its condition's.

    Raises
    ------
    UsageError
        When the prediction says nothing of x_0 at the schedule's t = 1.
    """

    def __init__(
        self, backbone: nn.Module, schedule: Schedule, prediction: Prediction, target: nn.Module | None = None
    ) -> None:
        super().__init__()
        if prediction.needs_data and float(schedule(1.0)[0]) == 0:
            raise UsageError("prediction 'eps' cannot serve a schedule whose SNR is zero at t = 1; use 'v' or 'x0'")
        self.backbone = backbone
        self.schedule = schedule
        self.prediction = prediction
        self.target = target

    @property
    def attention_layers(self) -> tuple[str, ...]:
        """Those of the backbone."""
        layers: tuple[str, ...] = getattr(self.backbone, "attention_layers", ())
        return layers

    def output(
        self,
        x_t: Tensor,
        t: Tensor,
        cond: Condition | None = None,
        mask: Tensor | None = None,
        s: Tensor | None = None,
    ) -> Tensor:
        """Give the network's own output, as `x_t`.

        Parameters
        ----------
        mask
            1 where `x_t` is data and 0 where it is padding.
        s
            () or (B,), of a flow map: where the step ends; at t itself by default.
        """
        log_snr, alpha, sigma = self._level(x_t, t)
        output: Tensor = self._output(x_t, log_snr, alpha, sigma, self._told(x_t, log_snr, cond, s), mask)
        return output.to(x_t.dtype)

    def output_and_draft(
        self, x_t: Tensor, t: Tensor, cond: Condition | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Give the network's own output, and the estimate of x_0 made on the way to it, where the backbone `drafts`."""
        if not getattr(self.backbone, "drafts", False):
            return self.output(x_t, t, cond, mask), None
        log_snr, alpha, sigma = self._level(x_t, t)
        told = self._told(x_t, log_snr, cond, None)
        output, draft = self._output(x_t, log_snr, alpha, sigma, told, mask, draft=True)
        return output.to(x_t.dtype), draft.to(x_t.dtype)

    def forward(
        self,
        x_t: Tensor,
        t: Tensor,
        cond: Condition | None = None,
        mask: Tensor | None = None,
        s: Tensor | None = None,
    ) -> Tensor:
        """Give the x_0 that the network's output stands for; `mask` and `s` are as for `output`."""
        log_snr, alpha, sigma = self._level(x_t, t)
        output = self._output(x_t, log_snr, alpha, sigma, self._told(x_t, log_snr, cond, s), mask)
        return self.prediction.to_x0(output.to(x_t.dtype), x_t, alpha, sigma)

    def toward(self, s: Tensor) -> Denoiser:
        """Give what the network gives when it is told of s."""
        return super().toward(s) if self.target is None else Jump(self, s)

    def _told(self, x_t: Tensor, log_snr: Tensor, cond: Condition | None, s: Tensor | None) -> Condition | None:
        """Add where the step ends to the condition."""
        if self.target is None:
            return cond
        end = log_snr if s is None else self.schedule.log_snr(s)
        vector = self.target(_within_limit(end, x_t))
        if cond is None:
            return Condition(vector=vector)
        return replace(cond, vector=vector if cond.vector is None else cond.vector + vector)

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
        mask: Tensor | None,
        **wishes: bool,
    ) -> Any:
        told = _within_limit(log_snr, x_t)
        masked = {"mask": mask} if mask is not None and getattr(self.backbone, "takes_mask", False) else {}
        return self.backbone(x_t * self.prediction.input_scale(alpha, sigma), told, cond, **masked, **wishes)


def _within_limit(log_snr: Tensor, x_t: Tensor) -> Tensor:
    """Give a log-SNR for each sample, as networks are told it."""
    return log_snr.clamp(-LOG_SNR_LIMIT, LOG_SNR_LIMIT).to(x_t).expand(x_t.shape[0])


class Jump(Around):
    """A network's flow map to the time s."""

    def __init__(self, denoiser: NetworkDenoiser, s: Tensor) -> None:
        super().__init__(denoiser)
        self.s = s

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give the mean of x_0 along the trajectory from t to s.

        Raises
        ------
        UsageError
            When s is later than t: what leads to the data alone has been learned.
        """
        if (self.s > t).any():
            raise UsageError("this model has learned to go towards the data only; go the other way with 'ddim'")
        x0: Tensor = self.denoiser(x_t, t, cond, s=self.s)
        return x0

"""The objective: which times are drawn, and how much an error counts at each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition
from polydiff.core.denoiser import NetworkDenoiser, per_sample
from polydiff.core.noise import DROP_ALL, DROP_CONDITION, TRAIN_NOISE, TRAIN_TIME, Seeds
from polydiff.core.schedule import Schedule
from polydiff.model.model import Model
from polydiff.training.posterior_mean import posterior_mean
from polydiff.training.times import Times
from polydiff.training.weighting import Weighting

BELOW_ONE = 1 - 2.0**-53
"""The largest float64 below 1."""


class AnyObjective(Protocol):
    """What a model is trained towards: from data alone, or from another model (`polydiff.distillation`)."""

    def times(self, u: Tensor, schedule: Schedule, /) -> Tensor:
        """Give the quantiles of the training times, as `Times` does."""

    def condition(self, model: Model, values: Mapping[str, Sequence[Any]], seeds: Seeds) -> Any:
        """Make what `losses` takes as `cond` of raw values, one for each sample of `seeds`."""

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Any = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Give each sample's loss, as `Objective.losses` does."""


@dataclass(frozen=True, slots=True)
class Objective:
    """A time distribution and a weighting; the target is that of the denoiser's prediction.

    Attributes
    ----------
    exchangeable
        Whether a sample's positions are draws of one distribution, so that each may be taught its `posterior_mean`.
    """

    times: Times
    weighting: Weighting
    exchangeable: bool = False

    def condition(self, model: Model, values: Mapping[str, Sequence[Any]], seeds: Seeds) -> Condition | None:
        """Give the model's condition."""
        return model.condition(values)

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Condition | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Give each sample's loss: the weight at its time times the mean squared error of the network's output.

        Where the network `drafts`, the loss has the gradient of the draft's mean squared error, too, but not its value.

        Parameters
        ----------
        x0, eps
            (B, *), data and standard normal noise.
        t
            (B,) float64, in [0, 1]; on any device, the CPU does.
        mask
            Broadcastable to `x0`, 1 where the error counts and 0 where not; `None` is 1 everywhere.

        Returns
        -------
        Tensor
            (B,) of the dtype of `x0`.
        """
        alpha, sigma = (per_sample(c, x0).to(x0) for c in denoiser.schedule(t))
        x_t = alpha * x0 + sigma * eps
        output, draft = denoiser.output_and_draft(x_t, t, cond, mask)
        drafted = None if draft is None else mean_of((draft - x0).square(), mask)
        if self.exchangeable:
            x0, eps = posterior_mean(x0, eps, alpha, sigma, mask)
        error = output - denoiser.prediction.target(x0, eps, alpha, sigma)
        weight = self.weighting.of_output(denoiser.schedule.log_snr(t), denoiser.schedule, denoiser.prediction)
        losses = weight.to(x0) * mean_of(error.square(), mask)
        return losses if drafted is None else losses + (drafted - drafted.detach())


def mean_of(x: Tensor, mask: Tensor | None) -> Tensor:
    """Give each sample's mean over what its mask lets through: (B, *) -> (B,)."""
    if mask is None:
        return x.flatten(1).mean(1)
    mask = mask.expand_as(x)
    return (x * mask).flatten(1).sum(1) / mask.flatten(1).sum(1)


def stratified(jitter: Tensor, stratum: Tensor, strata: int) -> Tensor:
    """Give numbers uniform in (0, 1), each in its own of `strata` equal parts: far less noise in their mean.

    Parameters
    ----------
    jitter
        (B,) float64 in (0, 1).
    stratum
        (B,) int64, in [0, strata).
    """
    return ((stratum + jitter) / strata).clamp(max=BELOW_ONE)


def training_quantiles(seed: int, positions: Tensor, batch: int) -> Tensor:
    """Give the quantiles of samples' training times, (B,) float64 in (0, 1), by their positions in the run."""
    jitter = Seeds(seed, positions).uniform((), stream=TRAIN_TIME)
    return stratified(jitter, positions % batch, batch)


class TrainingLoss(nn.Module):
    """The loss of a batch, as the one `forward` that a parallel strategy wraps.

    Times, noise and dropped conditions are functions of the seed and each sample's position in the run, hence the
    same on any number of devices and after a resume.

    Parameters
    ----------
    batch
        Positions in one optimiser step, over all devices; its times are stratified over them.
    dropout
        How often each condition is left out, by name.
    drop_all
        How often all of them are, besides.
    """

    def __init__(
        self,
        model: Model,
        objective: AnyObjective,
        *,
        seed: int,
        batch: int,
        dropout: Mapping[str, float],
        drop_all: float = 0.0,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.seed = seed
        self.batch = batch
        self.dropout = dict(sorted(dropout.items()))
        self.drop_all = drop_all

    def forward(
        self, x0: Tensor, conditions: Mapping[str, Sequence[Any]], positions: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """Give each sample's loss.

        Parameters
        ----------
        x0
            (B, C, *).
        conditions
            B raw values for each conditioner.
        positions
            (B,) int64: each sample's place in the run.
        mask
            As for `Objective.losses`.

        Returns
        -------
        Tensor
            (B,).
        """
        positions = positions.cpu()  # a parallel strategy moves every tensor that it is given
        seeds = Seeds(self.seed, positions)
        denoiser = self.model.denoiser
        t = self.objective.times(training_quantiles(self.seed, positions, self.batch), denoiser.schedule)
        eps = seeds.normal(x0.shape[1:], stream=TRAIN_NOISE, device=x0.device, dtype=x0.dtype)
        cond = self.objective.condition(self.model, self._drop(conditions, seeds), seeds)
        return self.objective.losses(denoiser, x0, t, eps, cond, mask)

    def _drop(self, conditions: Mapping[str, Sequence[Any]], seeds: Seeds) -> dict[str, list[Any]]:
        """Leave conditions out at random, each on its own and all together."""
        if not self.dropout:
            return {}
        draws = seeds.uniform((len(self.dropout),), stream=DROP_CONDITION)
        kept = draws >= torch.tensor(list(self.dropout.values()), dtype=draws.dtype)
        if self.drop_all:
            kept &= (seeds.uniform((), stream=DROP_ALL) >= self.drop_all)[:, None]
        return {
            name: [value if keep else None for value, keep in zip(conditions[name], each, strict=True)]
            for name, each in zip(self.dropout, kept.T.tolist(), strict=True)
        }

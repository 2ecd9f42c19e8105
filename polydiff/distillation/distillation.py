"""What all ways to distil have in common: a teacher, and a loss that stands in the place of the objective."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from polydiff.core.denoiser import NetworkDenoiser, per_sample
from polydiff.core.noise import Seeds
from polydiff.core.schedule import Schedule
from polydiff.model.model import Model
from polydiff.recipe.component import Component
from polydiff.training.objective import mean_of
from polydiff.training.teacher import Teacher, Told
from polydiff.training.weighting import Weighting


@dataclass(frozen=True, slots=True)
class Rung:
    """One student on the way down.

    Attributes
    ----------
    name
        Of its folder, after its number: "32-to-16".
    method
        How it learns, with all options.
    times
        The time grid that it is sampled on, falling from 1 to 0.
    samplers
        Those that may walk it; the first one does unless another is asked for.
    any_times
        Whether it is right on other grids, too; `times` are then even.
    flow_map
        Whether it is told where each step ends.
    """

    name: str
    method: Component
    times: tuple[float, ...]
    samplers: tuple[str, ...]
    any_times: bool = False
    flow_map: bool = False

    @property
    def steps(self) -> int:
        """How many evaluations a sample takes."""
        return len(self.times) - 1


class Distillation(ABC):
    """The loss by which a student learns from a teacher; an objective, as training takes it.

    Subclasses take their options as keywords, after `teacher` and `weighting`, and are checked against their hints as
    every component of a recipe.
    """

    def __init__(self, teacher: Teacher, weighting: Weighting) -> None:
        self.teacher = teacher
        self.weighting = weighting

    @classmethod
    @abstractmethod
    def plan(cls, times: Sequence[float], steps: int) -> Sequence[Rung]:
        """Give the rungs from a teacher that is sampled on a time grid to a student of so many steps.

        Raises
        ------
        UsageError
            When there is no such way; it names the nearest.
        """

    @abstractmethod
    def times(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give the quantiles of the training times, (B,) float64, of `u` in (0, 1): non-decreasing."""

    def condition(self, model: Model, values: Mapping[str, Sequence[Any]], seeds: Seeds) -> Told:
        """Tell student and teacher of the same samples."""
        return self.teacher.tell(model, values, seeds)

    @abstractmethod
    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Told,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Give each sample's loss, (B,).

        Parameters
        ----------
        denoiser
            The student's.
        x0, eps
            (B, *), data and standard normal noise.
        t
            (B,) float64, of `times`.
        mask
            Broadcastable to `x0`, 1 where the error counts; `None` is 1 everywhere.
        """

    def distance(
        self,
        denoiser: NetworkDenoiser,
        x_t: Tensor,
        t: Tensor,
        target: Tensor,
        told: Told,
        mask: Tensor | None,
        s: Tensor | None = None,
    ) -> Tensor:
        """Give the weighted squared error, (B,), of the student's x_0 at x_t, whose `target` has no gradient.

        It is taken on the network's own output, where it is of one size at all noise levels. `s` is where a flow map is
        to lead.
        """
        alpha, sigma = (per_sample(c, x_t).to(x_t) for c in denoiser.schedule(t))
        output = denoiser.output(x_t, t, told.student, mask, s)
        error = output - denoiser.prediction.from_x0(target, x_t, alpha, sigma)
        weight = self.weighting.of_output(denoiser.schedule.log_snr(t), denoiser.schedule, denoiser.prediction)
        return weight.to(x_t) * mean_of(error.square(), mask)


def noised(schedule: Schedule, x0: Tensor, t: Tensor, eps: Tensor) -> Tensor:
    """Give x_t = alpha_t x_0 + sigma_t eps."""
    alpha, sigma = (per_sample(c, x0).to(x0) for c in schedule(t))
    return torch.add(alpha * x0, sigma * eps)


def stratum(u: Tensor, times: Sequence[float]) -> Tensor:
    """Give the times of a falling grid, but for its end, each with the same share of `u`: the quantiles of that."""
    rising = torch.tensor(times[-2::-1], dtype=torch.float64)
    return rising[(u * len(rising)).long().clamp(max=len(rising) - 1)]

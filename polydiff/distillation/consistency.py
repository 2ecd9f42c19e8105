"""Consistency models: a student that maps x_t to the end of its trajectory, for one step or a few."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from polydiff.core.denoiser import NetworkDenoiser, per_sample
from polydiff.core.noise import Seeds
from polydiff.core.schedule import Schedule
from polydiff.distillation.distillation import Distillation, Rung, noised
from polydiff.errors import UsageError
from polydiff.model.model import Model
from polydiff.recipe.component import Component
from polydiff.sampling.grid import INFINITY
from polydiff.training.teacher import Teacher, Told
from polydiff.training.weighting import Weighting

CLEAN = math.exp(-INFINITY)
"""The sigma / alpha below which time grids take the data for clean."""


@dataclass(frozen=True, slots=True)
class ToldWhen(Told):
    """What student and teacher are told, and when.

    Attributes
    ----------
    behind
        (B,) float64 in [0, 1], how much of the run is.
    """

    behind: Tensor


class Consistency(Distillation):
    """Two points of one trajectory have the same end (Song et al. 2023, https://arxiv.org/abs/2303.01469).

    What the student gives for x_0 becomes that end, f(x_t, t), in the place of the mean. With r < t the loss is
    d(f(x_t, t), f(x_r, r)), without a gradient into the second, where d is the Pseudo-Huber distance (Song & Dhariwal
    2023, https://arxiv.org/abs/2310.14189, section 3.3) of the network's outputs. r is a share of t in the angle
    phi = arctan(sigma / alpha), which is finite where alpha = 0. Where next to no noise is left at r, it is 0, and the
    end of what has arrived there is x_r / alpha_r: the boundary condition, on any schedule and for any prediction.

    Parameters
    ----------
    positions
        How many samples the run sees, by which the gap narrows; the clock has no part in it, for exact resume.
    pairs
        "teacher": x_r is where the teacher, with its guidance, takes x_t in a step of second order (consistency
        distillation). "data": x_r has the data and the noise of x_t (easy consistency tuning, Geng et al. 2024,
        https://arxiv.org/abs/2406.14548): nothing is owed to the teacher but the start, and no guidance is learnt.
    gap
        1 - phi_r / phi_t at the start of the run and at its end, in geometric progression. What the student gets wrong
        over one gap adds up over all that lead to the data, so that a narrow one takes much training; of pairs of
        "teacher" the error falls with its square, of "data" with itself.
    c
        Errors below it count by their square, those above by themselves.
    """

    def __init__(
        self,
        *,
        teacher: Teacher,
        weighting: Weighting,
        positions: int,
        pairs: Literal["teacher", "data"] = "teacher",
        gap: tuple[float, float] = (0.5, 0.2),
        c: float = 0.1,
    ) -> None:
        super().__init__(teacher, weighting)
        if not 0 < gap[1] <= gap[0] <= 1:
            raise UsageError(f"'consistency' takes a gap within 0 and 1 that does not grow, not {list(gap)}")
        if not 0 < c < math.inf:
            raise UsageError(f"'consistency' takes a finite c > 0, not {c:g}")
        self.positions, self.pairs, self.gap, self.c = positions, pairs, gap, c

    @classmethod
    def plan(cls, times: Sequence[float], steps: int) -> Sequence[Rung]:
        """Give the one rung: a student for any number of steps, of which `steps` is its own."""
        own = tuple(1 - i / steps for i in range(steps + 1))
        return [Rung("consistency", Component("consistency"), own, ("consistency",), any_times=True)]

    def times(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give all times alike."""
        return u

    def condition(self, model: Model, values: Mapping[str, Sequence[Any]], seeds: Seeds) -> ToldWhen:
        """Tell student and teacher; where nothing is trained, as if the run were at its end."""
        told = self.teacher.tell(model, values, seeds)
        behind = torch.as_tensor(seeds.indices).double() / self.positions
        behind = behind.clamp(max=1) if model.training else torch.ones_like(behind)
        return ToldWhen(told.student, told.teacher, told.scale, told.seeds, behind)

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Told,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compare the ends of x_t and of x_r."""
        assert isinstance(cond, ToldWhen)
        schedule = denoiser.schedule
        r = self.below(t, schedule, cond.behind)
        x_t = noised(schedule, x0, t, eps)
        x_r = noised(schedule, x0, r, eps) if self.pairs == "data" else self._step(x_t, t, r, cond, mask)
        with torch.no_grad(), torch.random.fork_rng([x0.device] if x0.is_cuda else []):  # the same units drop out
            target = self._end(denoiser, x_r, r, cond, mask)
        distance = self.distance(denoiser, x_t, t, target, cond, mask)
        return distance / ((distance + self.c**2).sqrt() + self.c)  # sqrt(distance + c^2) - c, to all digits

    def below(self, t: Tensor, schedule: Schedule, behind: Tensor) -> Tensor:
        """Give the times r of a run of which so much is behind."""
        first, last = self.gap
        phi_r = angle(schedule, t) * (1 - first * (last / first) ** behind)
        r = schedule.time(-2 * phi_r.tan().log()).clamp(min=0)
        return r.where(phi_r > CLEAN, 0.0)

    @torch.no_grad()
    def _step(self, x_t: Tensor, t: Tensor, r: Tensor, told: Told, mask: Tensor | None = None) -> Tensor:
        """Take a step of the teacher: the trapezoidal rule in alpha / sigma, by which x_0 is to be integrated."""
        schedule = self.teacher.schedule
        x0_t = self.teacher.x0(x_t, t, told, mask)
        x0_r = self.teacher.x0(leap(schedule, x_t, x0_t, t, r), r, told, mask)
        return leap(schedule, x_t, (x0_t + x0_r) / 2, t, r)

    def _end(self, denoiser: NetworkDenoiser, x_r: Tensor, r: Tensor, told: Told, mask: Tensor | None) -> Tensor:
        alpha, _ = (per_sample(c, x_r).to(x_r) for c in denoiser.schedule(r))
        return torch.where(per_sample(r > 0, x_r).to(x_r.device), denoiser(x_r, r, told.student, mask), x_r / alpha)


def angle(schedule: Schedule, t: Tensor) -> Tensor:
    """Give arctan(sigma / alpha), from 0 to pi / 2 as t goes from 0 to 1."""
    alpha, sigma = schedule(t)
    return torch.atan2(sigma, alpha)


def leap(schedule: Schedule, x_t: Tensor, x0: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """Go from t to s, () or (B,), as if x0 were the data: `advance` with times of each sample's own."""
    (alpha_t, sigma_t), (alpha_s, sigma_s) = (schedule(each) for each in (t, s))
    c_x = sigma_s / sigma_t
    c_0 = alpha_s - alpha_t * c_x
    return per_sample(c_x, x_t).to(x_t) * x_t + per_sample(c_0, x_t).to(x_t) * x0

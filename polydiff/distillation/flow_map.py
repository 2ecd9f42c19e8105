"""Flow maps: a student that is told where a step is to end and goes there at once, for few steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import NetworkDenoiser, per_sample
from polydiff.core.noise import DISTILL
from polydiff.core.schedule import Schedule
from polydiff.distillation.consistency import leap
from polydiff.distillation.distillation import Distillation, Rung, noised
from polydiff.errors import UsageError
from polydiff.recipe.component import Component
from polydiff.training.teacher import Teacher, Told
from polydiff.training.weighting import Weighting


class FlowMap(Distillation):
    """A step ends where its two parts do (SplitMeanFlow, Guo et al. 2025, https://arxiv.org/abs/2507.16884), and the
    shortest step is the teacher's.

    The mean x_0 from t to s, which `Denoiser.toward` is to give, is that from t to m and that from m to s weighted by
    what they add to alpha / sigma: the paper's identity of average velocities, on any schedule. A student that obeys it
    and is the teacher at s = t is the teacher's flow map. Nothing is differentiated by t or s.

    Parameters
    ----------
    anchor
        What the student is at s = t: the estimate of the "teacher", with its guidance, or that of the "data" alone, for
        which a model may start from nothing.
    anchored
        The share of the samples with s = t, 0 to 1.

    Raises
    ------
    UsageError
        When `anchored` is no share.
    """

    def __init__(
        self,
        *,
        teacher: Teacher,
        weighting: Weighting,
        anchor: Literal["teacher", "data"] = "teacher",
        anchored: float = 0.25,
    ) -> None:
        super().__init__(teacher, weighting)
        if not 0 <= anchored <= 1:
            raise UsageError(f"'flow-map' takes anchored, a share, from 0 to 1, not {anchored:g}")
        self.anchor, self.anchored = anchor, anchored

    @classmethod
    def plan(cls, times: Sequence[float], steps: int) -> Sequence[Rung]:
        """Give the one rung: a student for any number of steps, of which `steps` is its own."""
        own = tuple(1 - i / steps for i in range(steps + 1))
        return [Rung("flow-map", Component("flow-map"), own, ("flow-map",), any_times=True, flow_map=True)]

    def times(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give all times alike."""
        return u

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Told,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compare each step with its parts, or with what it is when it has no length."""
        x_t = noised(denoiser.schedule, x0, t, eps)
        choice, length, part = cond.seeds.uniform((3,), stream=DISTILL, step=1).to(t).T
        still = choice < self.anchored
        s = torch.where(still, t, t * (1 - length))
        points = Points(x0, x_t, torch.stack((t, torch.lerp(t, s, part), s)), cond, mask)
        target = torch.empty_like(x0)
        if still.any():
            target[still] = self._anchor(points.only(still))
        if not still.all():
            moving = points.only(~still)
            target[~still] = whole(denoiser, moving.x_t, moving.times, moving.told, moving.mask)
        return self.distance(denoiser, x_t, t, target, cond, mask, s)

    def _anchor(self, points: Points) -> Tensor:
        return (
            points.x0
            if self.anchor == "data"
            else self.teacher.x0(points.x_t, points.times[0], points.told, points.mask)
        )


@dataclass(frozen=True, slots=True)
class Points:
    """Noisy data, and on their way to where; `times` are t, m and s, (3, B) falling."""

    x0: Tensor
    x_t: Tensor
    times: Tensor
    told: Told
    mask: Tensor | None

    def only(self, chosen: Tensor) -> Points:
        """Give some of them, by (B,) bool."""
        mask = None if self.mask is None else self.mask.expand(len(self.x0), *self.mask.shape[1:])[chosen]
        return Points(self.x0[chosen], self.x_t[chosen], self.times[:, chosen], _of(self.told, chosen), mask)


@torch.no_grad()
def whole(denoiser: NetworkDenoiser, x_t: Tensor, times: Tensor, told: Told, mask: Tensor | None = None) -> Tensor:
    """Give the mean x_0 from t to s by those from t to m and from m to s; `times` are t, m and s, (3, B) falling.

    By weights w and 1 - w, with w = (alpha_m / sigma_m - alpha_t / sigma_t) / (alpha_s / sigma_s - alpha_t / sigma_t).
    """
    t, m, s = times
    alpha, sigma = denoiser.schedule(times)
    first = denoiser(x_t, t, told.student, mask, m)
    second = denoiser(leap(denoiser.schedule, x_t, first, t, m), m, told.student, mask, s)
    # Multiplied by the sigmas, w is finite where sigma_s = 0.
    added = sigma[2] * (alpha[1] * sigma[0] - alpha[0] * sigma[1])
    in_all = sigma[1] * (alpha[2] * sigma[0] - alpha[0] * sigma[2])
    return torch.lerp(second, first, per_sample(added / in_all, x_t).to(x_t))


def _of(told: Told, chosen: Tensor) -> Told:
    """Give what is told of some samples."""

    def part(cond: Condition | None) -> Condition | None:
        return None if cond is None else cond[chosen]

    seeds = replace(told.seeds, indices=torch.as_tensor(told.seeds.indices)[chosen])
    scale = None if told.scale is None else told.scale[chosen]
    return Told(part(told.student), part(told.teacher), scale, seeds)

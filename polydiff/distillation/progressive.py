"""Progressive distillation: one step of the student for several of the teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from polydiff.core.denoiser import NetworkDenoiser, per_sample
from polydiff.core.schedule import Schedule
from polydiff.distillation.distillation import Distillation, Rung, noised, stratum
from polydiff.distillation.match import SAMPLERS
from polydiff.errors import UsageError
from polydiff.recipe.component import Component
from polydiff.training.teacher import Teacher, Told
from polydiff.training.weighting import Weighting

Estimate = Callable[[Tensor, Tensor], Tensor]
"""A denoiser whose condition is given: x_0 of (x_t, t)."""


class Progressive(Distillation):
    """The x_0 with which one DDIM step ends where `factor` of the teacher's do (Salimans & Ho 2022,
    https://arxiv.org/abs/2202.00512, section 3 and appendix G).

    Parameters
    ----------
    times
        The teacher's, falling from 1 to 0.
    factor
        How many of its steps are one of the student's.
    """

    def __init__(self, *, teacher: Teacher, weighting: Weighting, times: list[float], factor: int = 2) -> None:
        super().__init__(teacher, weighting)
        if factor < 2 or (len(times) - 1) % factor:
            raise UsageError(f"'progressive' takes a factor that divides its {len(times) - 1} steps, not {factor}")
        self.factor = factor
        self.walks = torch.tensor(times, dtype=torch.float64).unfold(0, factor + 1, factor)

    @classmethod
    def plan(cls, times: Sequence[float], steps: int) -> Sequence[Rung]:
        """Halve as long as that leads to `steps`, and take what is left in one."""
        rungs = []
        for factor in factors(len(times) - 1, steps):
            method = Component("progressive", {"times": list(times), "factor": factor})
            left = tuple(times[::factor])
            rungs.append(Rung(f"{len(times) - 1}-to-{len(left) - 1}", method, left, SAMPLERS))
            times = left
        return rungs

    def times(self, u: Tensor, schedule: Schedule) -> Tensor:
        """Give the times that the student's steps start from, all alike."""
        return stratum(u, [*self.walks[:, 0].tolist(), 0.0])

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Told,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Walk the teacher from x_t, and compare with the x_0 that leads there at once."""
        x_t = noised(denoiser.schedule, x0, t, eps)
        walk = self.walks[torch.searchsorted(-self.walks[:, 0].contiguous(), -t.cpu())]
        target = landing(lambda x, at: self.teacher.x0(x, at, cond, mask), denoiser.schedule, x_t, walk)
        return self.distance(denoiser, x_t, t, target, cond, mask)


def landing(estimate: Estimate, schedule: Schedule, x_t: Tensor, walk: Tensor) -> Tensor:
    """Give the x_0 with which one DDIM step from x_t ends where the steps of a walk do.

    That is x = (z - (sigma_s / sigma_t) x_t) / (alpha_s - (sigma_s / sigma_t) alpha_t), with z where the walk ends, at
    s. Each step of it is z <- r z + c x_0, r = sigma' / sigma, c = alpha' - r alpha, so that x is the mean of its
    estimates weighted by what is left of each c in the end. Written so it is finite, and the last estimate, where
    sigma_s = 0.

    Parameters
    ----------
    x_t
        (B, *).
    walk
        (B, factor + 1) float64, falling: from t to s.
    """
    alpha, sigma = schedule(walk)
    total = torch.zeros_like(walk[:, 0])
    target = torch.zeros_like(x_t)
    for j in range(walk.shape[1] - 1):
        r = sigma[:, j + 1] / sigma[:, j]
        c = alpha[:, j + 1] - r * alpha[:, j]
        x0 = estimate(x_t, walk[:, j])
        total = r * total + c
        target = torch.lerp(target, x0, per_sample(c / total, x_t).to(x_t))
        x_t = per_sample(r, x_t).to(x_t) * x_t + per_sample(c, x_t).to(x_t) * x0
    return target


def factors(teacher: int, student: int) -> list[int]:
    """Give what each rung divides the steps by: twos, and what is odd at the last.

    Raises
    ------
    UsageError
        When the student's steps do not divide the teacher's.
    """
    if not 0 < student < teacher or teacher % student:
        near = max(student, 1) * max(round(teacher / max(student, 1)), 2)
        if teacher <= student:
            raise UsageError(f"{teacher} steps are not more than the student's {student}; the least are --from {near}")
        raise UsageError(
            f"{teacher} steps are not a multiple of {student}; the nearest number that is is {near}: --from {near}"
        )
    left = teacher // student
    found: list[int] = []
    while left % 2 == 0:
        left, found = left // 2, [*found, 2]
    return found + [left] * (left > 1)

"""Restart: Heun's method that goes back to more noise and comes down again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.heun import heun, noised
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, level_at

RHO = 7.0
"""Karras' spacing of the way down again."""


class Restart(Sampler):
    """Xu et al. 2023, https://arxiv.org/abs/2306.14878, algorithm 1, on any schedule.

    When rho = sigma / alpha, the paper's t, has come down to t_min, noise is added up to t_max, and `heun` takes the
    state down to t_min again, K times; everything else is `heun`. The noise wipes out errors made before it.

    Parameters
    ----------
    t_min, t_max
        Between which rho.
    repeats
        K.
    steps
        N_restart, from t_max to t_min, even in rho^(1/7); `None` is as many as the grid has there, with which the
        method is of second order.
    """

    evaluations = 2

    def __init__(self, *, t_min: float = 0.06, t_max: float = 0.3, repeats: int = 1, steps: int | None = None) -> None:
        if not 0 < t_min < t_max:
            raise UsageError(f"sampler 'restart' needs 0 < t_min < t_max, got {t_min} and {t_max}")
        if repeats < 1 or (steps is not None and steps < 1):
            raise UsageError(f"sampler 'restart' needs at least one repeat and one step, got {repeats} and {steps}")
        self.t_min, self.t_max = t_min, t_max
        self.repeats = repeats
        self.steps = steps

    def begin(self, path: Sequence[Level]) -> int:
        """Give N_restart."""
        return self.steps or 1 + sum(self.t_min < level.ratio < self.t_max for level in path)

    def step(
        self, denoiser: Denoiser, x_t: Tensor, t: Level, s: Level, *, cond: Condition | None, carry: int, noise: Noise
    ) -> Step:
        """Go from t to s, and between them to t_max and back when t_min lies there."""
        if not s.ratio <= self.t_min < t.ratio:
            return Step(*heun(denoiser, x_t, t, s, cond), carry)
        way = self._way(denoiser.schedule, carry)
        x, x0 = heun(denoiser, x_t, t, way[-1], cond)
        for repeat in range(self.repeats):
            x = noised(x, way[-1], way[0], 1.0, noise(repeat))
            for higher, lower in zip(way, way[1:], strict=False):
                x, _ = heun(denoiser, x, higher, lower, cond)
        return Step(heun(denoiser, x, way[-1], s, cond)[0] if s.t < way[-1].t else x, x0, carry)

    def _way(self, schedule: Schedule, steps: int) -> list[Level]:
        """Give the levels from t_max to t_min."""
        if -math.log(self.t_max) < float(schedule.half_log_snr(1.0)):
            raise UsageError(f"sampler 'restart': t_max is {self.t_max}, and the schedule never has that much noise")
        high, low = self.t_max ** (1 / RHO), self.t_min ** (1 / RHO)
        return [level_at(schedule, -RHO * math.log(high + i / steps * (low - high))) for i in range(steps + 1)]

"""DPM-Solver with steps of its own: an embedded pair and a controller keep the error at a tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, per_sample
from polydiff.core.schedule import Schedule
from polydiff.errors import UsageError
from polydiff.sampling.embedded import PAIRS, Estimate
from polydiff.sampling.grid import INFINITY
from polydiff.sampling.sampler import Level, Noise, Sampler, Step, Work, advance, bounded, denoise, level_at

SMALLEST = 1e-6
"""The step in lambda at which the search for one ends."""

ACCEPTED = 0.81
"""How far the controller may want to shrink a step that is accepted all the same."""


@dataclass(frozen=True, slots=True)
class Control:
    """Each sample's next step in lambda, (B,), and the reciprocals of its last two errors, (B, 2), the latest first."""

    h: Tensor
    inverse_errors: Tensor


class DPMAdaptive(Sampler):
    """Lu et al. 2022, https://arxiv.org/abs/2206.00927, appendix C (DPM-Solver-12 and -23), on any schedule.

    Between two times of the grid, however far apart, the method takes as many steps in lambda as its tolerance asks
    for. Each is taken at two orders with the same evaluations; the root mean square of their difference, over
    max(atol, rtol |x|) where x is scaled to alpha^2 + sigma^2 = 1, is to be about 1. The next step's length follows
    by a PID controller (Soederlind 2003, https://doi.org/10.1145/641876.641877) with k-diffusion's limits. Its
    gains are those of his PI.4.2, which looks at the step before as well: the error of one sample's step may be small
    by chance, and steps that follow it at once, as with `icoeff` 1 alone, grow too long. A rejected step is tried again
    with the estimate that it started from.

    Every sample of a batch has its own steps: what is harder is evaluated more often, and samples do not depend on the
    batch. Where lambda is infinite, it ends at -5 and 5, with a step of first order beyond.

    Parameters
    ----------
    rtol, atol
        The error of a step, relative and absolute.
    order
        Of the better method: 3 (three evaluations a step) or 2 (two).
    shared
        Give all samples of a batch the same steps, by the root mean square over all, as k-diffusion does.
    h_init
        The first step to try.
    pcoeff, icoeff, dcoeff
        Of the controller.

    Raises
    ------
    UsageError
        From a step, when the tolerance is below what the state's or the denoiser's precision allows.
    """

    def __init__(
        self,
        *,
        rtol: float = 0.05,
        atol: float = 0.0078,
        order: Literal[2, 3] = 3,
        shared: bool = False,
        h_init: float = 0.3,
        pcoeff: float = 0.2,
        icoeff: float = 0.4,
        dcoeff: float = 0.0,
    ) -> None:
        if order not in PAIRS:
            raise UsageError(f"sampler 'dpm-adaptive' has order 2 or 3, got {order}")
        if rtol < 0 or atol <= 0 or h_init <= SMALLEST:
            raise UsageError(
                f"sampler 'dpm-adaptive' needs rtol >= 0, atol > 0 and h_init > {SMALLEST};"
                f" got {rtol}, {atol} and {h_init}"
            )
        self.rtol, self.atol = rtol, atol
        self.shared = shared
        self.h_init = h_init
        self.order = self.evaluations = order
        self.powers = [power / order for power in (pcoeff + icoeff + dcoeff, -pcoeff - 2 * dcoeff, dcoeff)]

    def step(
        self,
        denoiser: Denoiser,
        x_t: Tensor,
        t: Level,
        s: Level,
        *,
        cond: Condition | None,
        carry: Control | None,
        noise: Noise,
    ) -> Step:
        """Go from t to s in as many steps as it takes."""
        if self.rtol + self.atol < 10 * torch.finfo(x_t.dtype).eps:
            raise UsageError(f"sampler 'dpm-adaptive': the tolerance is below the precision of {x_t.dtype}")
        path = _finite_parts(denoiser.schedule, t, s)
        walk = _Walk(self, denoiser, cond, x_t, carry)
        for a, b in zip(path, path[1:], strict=False):
            if bounded(a, b):
                walk.adaptively(a, b)
            else:
                walk.at_once(a, b)
        assert walk.first is not None
        return Step(walk.x, walk.first, Control(walk.h, walk.inverse_errors), Work(walk.evaluations, walk.error))


class _Walk:
    """A batch on its way through one step of the grid. Numbers of each sample are (B,) float64 on the CPU."""

    def __init__(
        self, method: DPMAdaptive, denoiser: Denoiser, cond: Condition | None, x: Tensor, carry: Control | None
    ) -> None:
        self.method, self.denoiser, self.cond, self.x = method, denoiser, cond, x
        self.first: Tensor | None = None
        self.evaluations = torch.zeros(len(x), dtype=torch.int64)
        self.error = torch.zeros(len(x), dtype=torch.float64)
        if carry is None:
            self.h = torch.full((len(x),), method.h_init, dtype=torch.float64)
            self.inverse_errors = torch.full((len(x), 2), torch.nan, dtype=torch.float64)
        else:
            self.h, self.inverse_errors = carry.h.clone(), carry.inverse_errors.clone()

    def at_once(self, a: Level, b: Level) -> None:
        """Take a step of first order."""
        x0 = denoise(self.denoiser, self.x, a, self.cond)
        self.first = x0 if self.first is None else self.first
        self.evaluations += 1
        self.x = advance(self.x, x0, a, b)

    def adaptively(self, a: Level, b: Level) -> None:
        """Take steps of each sample's own from one level to another."""
        y, end = self.x / a.alpha, b.half_log_snr
        place = torch.full((len(y),), a.half_log_snr, dtype=torch.float64)
        x0, known = torch.empty_like(y), torch.zeros(len(y), dtype=torch.bool)
        while len(rows := (place < end).nonzero()[:, 0]):
            fresh = rows[~known[rows]]  # where a step was rejected, only its length changes
            if len(fresh):
                x0[fresh] = self._estimate(fresh)(y[fresh], place[fresh])
                self.evaluations[fresh] += 1
            self.first = x0.clone() if self.first is None else self.first
            start = place[rows]
            h = torch.minimum(self.h[rows], end - start)
            low, high = PAIRS[self.method.order](self._estimate(rows), y[rows], x0[rows], start, h)
            self.evaluations[rows] += self.method.order - 1
            difference, error = self._errors(y[rows], low, high, start, start + h)
            accepted = self._control(rows, h, error)
            known[rows] = ~accepted
            moved = rows[accepted]
            y[moved] = high[accepted]
            place[moved] = torch.where(h < end - start, start + h, end)[accepted]
            self.error[moved] += difference[accepted]
        self.x = b.alpha * y

    def _estimate(self, rows: Tensor) -> Estimate:
        cond = None if self.cond is None else self.cond[rows]

        def estimate(y: Tensor, half_log_snr: Tensor) -> Tensor:
            schedule = self.denoiser.schedule
            alpha, _ = schedule.coefficients(2 * half_log_snr)
            x0: Tensor = self.denoiser(per_sample(alpha, y).to(y) * y, schedule.time(2 * half_log_snr), cond)
            return x0

        return estimate

    def _errors(self, y: Tensor, low: Tensor, high: Tensor, start: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
        """Give the difference of the two orders, as it is and over what is tolerated: root mean squares, (B,)."""
        at_start, at_end = (per_sample(1 / torch.hypot(torch.ones_like(h), (-h).exp()), y).to(y) for h in (start, end))
        size = torch.maximum((at_start * y).abs(), (at_end * low).abs())
        difference = at_end * (low - high)
        tolerated = difference / (self.method.rtol * size).clamp(min=self.method.atol)
        squares = [each.reshape(len(y), -1).double().square().mean(1).cpu() for each in (difference, tolerated)]
        if self.method.shared:
            squares = [each.mean().expand(len(y)) for each in squares]
        return squares[0].sqrt(), squares[1].sqrt()

    def _control(self, rows: Tensor, h: Tensor, error: Tensor) -> Tensor:
        """Choose the next steps; tell which of those tried are accepted."""
        inverse = 1 / (error + 1e-8)
        before = self.inverse_errors[rows]
        errors = torch.cat([inverse[:, None], torch.where(before.isnan(), inverse[:, None], before)], 1)
        factor = 1 + torch.atan((errors ** torch.tensor(self.method.powers, dtype=torch.float64)).prod(1) - 1)
        accepted = factor >= ACCEPTED
        cut_short = h < self.h[rows]
        self.h[rows] = torch.where(accepted & cut_short, self.h[rows], h * factor)
        if not (self.h[rows] > SMALLEST).all():
            raise UsageError(
                "sampler 'dpm-adaptive' finds no step small enough: what the denoiser gives is not finite, or less"
                " precise than the tolerance"
            )
        self.inverse_errors[rows[accepted]] = errors[accepted, :2]
        return accepted


def _finite_parts(schedule: Schedule, t: Level, s: Level) -> list[Level]:
    """Give t and s and, between them, where lambda is taken to begin and to end."""
    ends = [level_at(schedule, end) for end, needed in ((-INFINITY, t.alpha == 0), (INFINITY, s.sigma == 0)) if needed]
    return [t, *(end for end in ends if s.t < end.t < t.t), s]

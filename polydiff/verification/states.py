"""Whether states hold as much data and noise as their time says.

When the data is a point, an exact denoiser gives that point whatever it is asked, and every state of a sound method,
x_t = alpha_t x_0 + sigma_t eps, shows how much of each is in it. So a stride that is off by one, a shift applied twice
or a level read from the wrong place is seen in a single step, however small the error that it would make in samples.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.core.schedule import Schedule
from polydiff.sampling.sampler import Sampler, StepEnd
from polydiff.verification.known import point
from polydiff.verification.moments import Affine, Watching, affine

_EPS = torch.tensor([-1.3, 0.4, 1.9], dtype=torch.float64)
_ASKED, _ENDED = "the denoiser is asked at {} about a state", "a step ends at {}"


@dataclass(frozen=True, slots=True)
class Content:
    """A state at time t, and the data and noise in it: what should be alpha_t and sigma_t.

    Attributes
    ----------
    where
        Words in which "{}" stands for the time.
    """

    where: str
    t: float
    alpha: float
    sigma: float


@dataclass(frozen=True, slots=True)
class Deviation:
    """The largest difference of what states hold from what their times say, for alpha^2 + sigma^2 = 1, and where."""

    size: float = 0.0
    where: str = ""


def deviation(schedule: Schedule, contents: Sequence[Content]) -> Deviation:
    """Find the state that differs most from what its time says."""
    alphas, sigmas = schedule(torch.tensor([content.t for content in contents], dtype=torch.float64))
    worst = Deviation()
    for content, alpha, sigma in zip(contents, alphas.tolist(), sigmas.tolist(), strict=True):
        for part, held, label in (("data", content.alpha, alpha), ("noise", content.sigma, sigma)):
            size = abs(held - label) / math.hypot(alpha, sigma)
            size = math.inf if math.isnan(size) else size
            if size > worst.size:
                where = content.where.format(f"t = {content.t:.4g}")
                worst = Deviation(size, f"{where} with {held:.6g} of the {part} in it, not {label:.6g}")
    return worst


def contents(method: Sampler, schedule: Schedule, times: Tensor) -> Iterator[Content]:
    """Measure a deterministic method: each sample has a noise of its own, and each example a number of pure noise."""
    mean = torch.tensor([1.0, 0.0], dtype=torch.float64)
    oracle = Watching(point(mean, schedule))
    alpha, sigma = schedule(times[0])
    x_t = alpha * mean + sigma * _EPS[:, None]
    ends: list[StepEnd] = []
    yield from _of_batch(_ENDED, method.sample(oracle, x_t, times=times, on_step=ends.append), times[-1], schedule)
    for end in ends:
        yield from _of_batch(_ENDED, end.x_s, torch.tensor(end.s.t, dtype=torch.float64), schedule)
    for x, t in oracle.asked:
        yield from _of_batch(_ASKED, x, t, schedule)


def stochastic_contents(method: Sampler, schedule: Schedule, times: Tensor) -> Iterator[Content]:
    """Measure a stochastic method, by the affine maps that its states are."""
    ends, asked = affine(method, point(torch.ones((), dtype=torch.float64), schedule), times)
    alpha, sigma = schedule(times[0])
    for where, states in ((_ENDED, ends), (_ASKED, asked)):
        for state in states:
            yield _of_affine(where, state, alpha, sigma)


def _of_batch(where: str, x: Tensor, t: Tensor, schedule: Schedule) -> Iterator[Content]:
    """Divide states by the noises that they started from; a method may ask about some samples only, in their order."""
    eps = _EPS
    if len(x) < len(_EPS):
        sigma = schedule(t)[1].reshape(-1, 1)
        eps = _EPS[(x[:, 1:] - sigma * _EPS).abs().argmin(1)]
    data, noise = x[:, 0] - x[:, 1], x[:, 1] / eps
    for place, alpha, sigma in zip(t.expand(len(x)).tolist(), data.tolist(), noise.tolist(), strict=True):
        yield Content(where, place, alpha, sigma)


def _of_affine(where: str, state: Affine, alpha: Tensor, sigma: Tensor) -> Content:
    data, variance = state.moments(alpha, sigma**2)
    return Content(where, state.t, data.item(), math.sqrt(variance.item()))

"""What samplers are compared on: a model, fixed noise, and where the exact flow takes it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.noise import Seeds
from polydiff.errors import UsageError
from polydiff.model import Model
from polydiff.model.settings import Guidance, check_asked
from polydiff.sampling.grid import time_grid
from polydiff.sampling.sampler import Sampler, prior
from polydiff.sampling.unipc import UniPC

REFERENCE = UniPC(order=3)
"""What the exact flow is taken for, with many steps."""

REFERENCE_NAME = "unipc (order 3) on half-log-snr"


@dataclass(frozen=True, slots=True)
class Walk:
    """One run of a sampler.

    Attributes
    ----------
    x
        (B, *), where it ended.
    evaluations
        Of the denoiser, a mean over the samples; guidance that asks the network twice counts once.
    seconds
        For the whole batch.
    """

    x: Tensor
    evaluations: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Problem:
    """A denoiser, noise, and where its flow leads.

    Attributes
    ----------
    denoiser, cond
        With its guidance.
    steps
        Of the reference.
    x_1, reference
        (B, *), the noise and the ends of the reference trajectories.
    convergence
        The distance, as `error` has it, of the reference from one with half as many steps. The reference's own error is
        no more than about that.
    """

    denoiser: Denoiser
    cond: Condition | None
    x_1: Tensor
    reference: Tensor
    steps: int
    convergence: float

    def walk(self, sampler: Sampler, times: Tensor) -> Walk:
        """Run a sampler on a time grid."""
        return walk(self.denoiser, sampler, self.x_1, times, self.cond)

    def error(self, x: Tensor) -> float:
        """Give the root mean square distance from the reference; `nan` where `x` is not finite."""
        return rms(x, self.reference)

    def record(self) -> dict[str, Any]:
        """Say what the reference is, as plain data."""
        size = rms(self.reference, torch.zeros_like(self.reference))
        return {"method": REFERENCE_NAME, "steps": self.steps, "convergence": self.convergence, "rms": size}


def pose(
    model: Model,
    seeds: Seeds,
    conditions: Mapping[str, Sequence[Any]],
    *,
    guidance: Guidance | None = None,
    steps: int,
) -> Problem:
    """Walk the reference trajectories of some noise.

    Parameters
    ----------
    seeds
        Whose noise.
    conditions
        By name, one value for each sample; without any, sampling is unconditional and unguided.
    guidance
        The scale, or the chain of guidances; the recipe's by default.
    steps
        Of the reference.

    Raises
    ------
    UsageError
        When the model is distilled, there is guidance and no condition, or the reference is not finite.
    """
    if model.config.distilled is not None:
        raise UsageError("a distilled model has no trajectories to compare samplers on: it is made for its own steps")
    chosen = model.settings(guidance=guidance)
    if guidance is not None:
        check_asked(chosen.guidance, conditions, (), list(model.conditioners))
    schedule, shape = model.denoiser.schedule, model.codec.shape
    denoiser = model.guided(chosen, shape)
    cond = model.condition(conditions, chosen.guidance)
    x_1 = prior(schedule, seeds, shape, model.device)
    coarse, fine = (
        walk(denoiser, REFERENCE, x_1, time_grid("half-log-snr", schedule, n), cond).x for n in (steps // 2, steps)
    )
    if not fine.isfinite().all():
        raise UsageError("what the model denoises is not finite: there is no trajectory to compare with")
    return Problem(denoiser, cond, x_1, fine, steps, rms(coarse, fine))


def walk(denoiser: Denoiser, sampler: Sampler, x_1: Tensor, times: Tensor, cond: Condition | None = None) -> Walk:
    """Run a sampler, counting evaluations and seconds."""
    with _counting(denoiser) as rows:
        start = time.perf_counter()
        x = sampler.sample(denoiser, x_1, times=times, cond=cond)
        if x.is_cuda:
            torch.cuda.synchronize()
        return Walk(x, sum(rows) / len(x_1), time.perf_counter() - start)


def rms(x: Tensor, y: Tensor) -> float:
    """Give the root mean square of a difference."""
    return float((x.double() - y.double()).square().mean().sqrt())


@contextmanager
def _counting(denoiser: Denoiser) -> Iterator[list[int]]:
    """List how many samples each evaluation was of."""
    rows: list[int] = []

    def count(_module: nn.Module, arguments: tuple[Any, ...]) -> None:
        rows.append(len(arguments[0]))

    handle = denoiser.register_forward_pre_hook(count)
    try:
        yield rows
    finally:
        handle.remove()

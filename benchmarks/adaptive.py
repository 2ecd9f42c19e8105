"""`dpm-adaptive` against fixed grids of its order, and each sample's own steps against steps shared by all.

    python benchmarks/adaptive.py

The data have two components whose widths differ a thousandfold: in one dimension, where the exact flow is known, and in
eight, against 2,000 steps of third order. For each tolerance: the mean evaluations (and the fewest and the most of a
sample), the root mean square error, and that of the best of twelve fixed grids with as many evaluations or slightly
more; then the worst decile (the error that a tenth of the samples exceeds, and the mean of that tenth), and those of
shared steps at the tolerance at which they take as many evaluations.
"""

import argparse
import math
from dataclasses import dataclass

import torch
from torch import Tensor

import polydiff
from polydiff.core.oracle import Mixture
from polydiff.core.schedule import EDM
from polydiff.sampling.sampler import StepEnd

WIDTHS = 0.3, 0.0003
FROM, TO = 10.0, 1e-5
"""Noise levels."""

TOLERANCES = (1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
POWERS = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 1e5)
"""The fixed grids are even in these roots of the noise level; the last is even in its logarithm."""

RATIO = 0.156
"""Of the absolute to the relative tolerance."""


@dataclass(frozen=True)
class Case:
    """Data, noisy samples of them, and where the flow takes those."""

    oracle: Mixture
    x_t: Tensor
    exact: Tensor
    times: Tensor


@dataclass(frozen=True)
class Result:
    """The errors of the samples, root mean square over their dimensions, and the evaluations of each."""

    errors: Tensor
    evaluations: Tensor

    @property
    def mean(self) -> float:
        """Of the evaluations."""
        return self.evaluations.mean().item()

    @property
    def rms(self) -> float:
        """Of the errors."""
        return self.errors.square().mean().sqrt().item()

    @property
    def decile(self) -> tuple[float, float]:
        """Where the worst tenth begins, and its mean."""
        worst = self.errors.sort().values[-(len(self.errors) // 10) :]
        return worst[0].item(), worst.mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=500)
    arguments = parser.parse_args()
    for dimensions in (1, 8):
        case = pose(dimensions, arguments.samples)
        for order in (2, 3):
            print(f"\n{dimensions} dimensions, order {order}")
            print(
                f"{'rtol':>7} {'evaluations':>17} {'rms':>8} {'fixed':>8} {'ratio':>6}   "
                f"{'worst decile':>17} {'shared':>17} {'evaluations':>11}"
            )
            for tolerance in TOLERANCES:
                report(case, order, tolerance)


def report(case: Case, order: int, tolerance: float) -> None:
    own = adaptive(case, order, tolerance)
    shared = shared_at(case, order, tolerance, own.mean)
    best = min(fixed(case, order, power, math.ceil(own.mean / order)).rms for power in POWERS)
    few, many = own.evaluations.min().item(), own.evaluations.max().item()
    print(
        f"{tolerance:7g} {own.mean:6.1f} ({few:3.0f} to {many:3.0f}) {own.rms:8.1e} {best:8.1e} {own.rms / best:6.2f}"
        f"   {say(own)} {say(shared)} {shared.mean:11.1f}",
        flush=True,
    )


def say(result: Result) -> str:
    return "{:8.1e} {:8.1e}".format(*result.decile)


def pose(dimensions: int, samples: int) -> Case:
    generator = torch.Generator().manual_seed(0)
    schedule = EDM(sigma_min=1e-7)
    means = torch.randn(2, dimensions, generator=generator, dtype=torch.float64) if dimensions > 1 else [[-1.0], [1.0]]
    means = torch.as_tensor(means, dtype=torch.float64)
    oracle = Mixture(means, *torch.tensor([WIDTHS, (0.5, 0.5)], dtype=torch.float64), schedule)
    times = schedule.time(-2 * torch.tensor([FROM, TO], dtype=torch.float64).log())
    noise = torch.randn(samples, dimensions, generator=generator, dtype=torch.float64)
    x_t = oracle.sample(samples, generator) + FROM * noise
    if dimensions == 1:
        flat = Mixture(means[:, 0], *torch.tensor([WIDTHS, (0.5, 0.5)], dtype=torch.float64), schedule)
        return Case(oracle, x_t, flat.flow(x_t[:, 0], *times)[:, None], times)
    exact = polydiff.sampler("dpm-solver-3").sample(oracle, x_t, times=grid(schedule, 1e5, 2000))
    return Case(oracle, x_t, exact, times)


def grid(schedule: EDM, power: float, steps: int) -> Tensor:
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    rho = torch.lerp(*(torch.tensor(end, dtype=torch.float64) ** (1 / power) for end in (FROM, TO)), u) ** power
    return schedule.time(-2 * rho.log())


def fixed(case: Case, order: int, power: float, steps: int) -> Result:
    times = grid(case.oracle.schedule, power, steps)
    x = polydiff.sampler(f"dpm-solver-{order}").sample(case.oracle, case.x_t, times=times)
    return Result(distance(x, case.exact), torch.full((len(x),), float(steps * order)))


def adaptive(case: Case, order: int, tolerance: float, *, shared: bool = False) -> Result:
    ends: list[StepEnd] = []
    sampler = polydiff.sampler("dpm-adaptive", rtol=tolerance, atol=RATIO * tolerance, order=order, shared=shared)
    x = sampler.sample(case.oracle, case.x_t, times=case.times, on_step=ends.append)
    return Result(distance(x, case.exact), sum(end.work.evaluations for end in ends if end.work).double())


def shared_at(case: Case, order: int, tolerance: float, evaluations: float) -> Result:
    """Give shared steps at the tolerance at which they take about as many evaluations."""
    low, high = tolerance / 10, tolerance * 100
    tried = []
    for _ in range(9):
        middle = math.sqrt(low * high)
        tried.append(adaptive(case, order, middle, shared=True))
        low, high = (middle, high) if tried[-1].mean > evaluations else (low, middle)
    return min(tried, key=lambda each: abs(each.mean - evaluations))


def distance(x: Tensor, exact: Tensor) -> Tensor:
    return (x - exact).square().mean(1).sqrt()


if __name__ == "__main__":
    main()

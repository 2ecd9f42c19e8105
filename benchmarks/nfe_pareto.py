"""Our samplers against diffusers' on one exact denoiser: the error by evaluations.

    python benchmarks/nfe_pareto.py --plot nfe_pareto.png

The data are a mixture of ten Gaussians in eight dimensions, on diffusers' default schedule of 1000 steps; every
sampler starts from the same noise and is given the exact prediction at the level that it is at. The error is the root
mean square distance from where the exact flow takes that noise; the second figure is the sliced Wasserstein distance to
true samples. Our best setting for each number of evaluations is chosen on some noise and judged on other noise; theirs
is the one of least error, chosen with hindsight on the noise that is judged on.
A grid of one step more may be left without its first, which takes the noise for the state at its second time: so
does diffusers' "leading" spacing. `ours, tuned` is a grid that the search of `polydiff tune-grid` has fitted to the
noise that settings are chosen on.
"""

import argparse
import io
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from nfe_pareto_diffusers import configurations, walk
from torch import Tensor

import polydiff
from polydiff.core.discrete import Discrete
from polydiff.core.oracle import Mixture
from polydiff.recipe.build import build_times
from polydiff.recipe.component import Component
from polydiff.sampling.dpm_solver_3 import DPMSolver3
from polydiff.tuning.candidates import times_within
from polydiff.tuning.problem import Problem, rms
from polydiff.tuning.tune import tune

BUDGETS = (4, 5, 6, 8, 10, 12, 16, 20)
JUDGED = (5, 8, 10)
"""Evaluations at which our best is held to be no worse than theirs."""

DIMENSIONS, COMPONENTS, PROJECTIONS = 8, 10, 256
CHOOSING, SAMPLES = 512, 1024
"""How many samples our settings are chosen on, and both sides judged on."""

OURS = {
    "ddim": ({},),
    "heun": ({},),
    "dpm-solver-2": ({},),
    "dpm-solver-3": ({},),
    "dpm++2s": ({},),
    "dpm++2m": ({},),
    "dpm++3m": ({},),
    "unipc": tuple({"order": order, "variant": variant} for order in (1, 2, 3) for variant in ("bh1", "bh2")),
    "deis": tuple({"order": order, "variable": name} for order in (2, 3) for name in ("t", "rho", "log-rho")),
    "lms": tuple({"order": order} for order in (2, 3, 4)),
    "ipndm": tuple({"order": order} for order in (2, 3, 4)),
    "plms": ({},),
}
GRIDS = (
    Component("t"),
    Component("half-log-snr"),
    Component("quadratic"),
    *(Component("discrete", {"spacing": spacing}) for spacing in ("leading", "trailing", "linspace")),
    *(Component("karras", {"rho": rho}) for rho in (2.0, 3.0, 5.0, 7.0, 10.0)),
)
TUNED = 4
"""How many of our best samplers have their grid tuned."""


@dataclass(frozen=True)
class Setting:
    """A sampler with its options and its grid, and what came of it."""

    name: str
    options: dict[str, object]
    grid: object
    chosen_by: float
    """Its error on the noise that settings are chosen on."""
    error: float = math.nan
    distance: float = math.nan

    def __str__(self) -> str:
        options = " ".join(f"{key}={value}" for key, value in self.options.items())
        return " ".join(filter(None, (self.name, options, "on", str(self.grid))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plot", default="nfe_pareto.png", metavar="FILE")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", FutureWarning)
    oracle = mixture()
    chosen_on, judged_on = pose(oracle, 1, CHOOSING), pose(oracle, 2, SAMPLES)
    truth, other = (oracle.sample(SAMPLES, torch.Generator().manual_seed(seed)) for seed in (3, 4))
    print(f"reference: converged to {judged_on.convergence:.1g}; sliced W2 of true samples {sliced(truth, other):.4f}")
    curves: dict[str, list[Setting]] = {"diffusers": [], "ours": [], "ours, tuned": []}
    for budget in BUDGETS:
        best = {
            "diffusers": theirs(judged_on, budget, truth),
            **ours(chosen_on, judged_on, budget, truth),
        }
        for side, setting in best.items():
            curves[side].append(setting)
            print(f"{budget:3} {side:11} {setting.error:8.5f}  W2 {setting.distance:.4f}  {setting}", flush=True)
    for budget in JUDGED:
        them, us = (curves[side][BUDGETS.index(budget)].error for side in ("diffusers", "ours"))
        verdict = "no worse" if us <= them else "WORSE"
        print(f"{budget} evaluations: ours {us:.5f}, diffusers {them:.5f}: {verdict} ({us / them:.2f} of it)")
    Path(arguments.plot).write_bytes(plot(curves))


def mixture() -> Mixture:
    generator = torch.Generator().manual_seed(0)
    means = torch.randn(COMPONENTS, DIMENSIONS, generator=generator, dtype=torch.float64)
    stds = 0.05 + 0.25 * torch.rand(COMPONENTS, generator=generator, dtype=torch.float64)
    weights = 0.5 + torch.rand(COMPONENTS, generator=generator, dtype=torch.float64)
    betas = torch.linspace(1e-4, 0.02, 1000).tolist()
    return Mixture(means, stds, weights, Discrete(betas=betas))


def pose(oracle: Mixture, seed: int, samples: int) -> Problem:
    """Draw noise, and take it where the flow goes, in 200 and 400 steps of third order."""
    noise = torch.randn(samples, DIMENSIONS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    first = float(oracle.schedule.half_log_snr(1.0))
    ends = []
    for steps in (200, 400):
        inner = oracle.schedule.time(2 * torch.linspace(first, 9, steps + 1, dtype=torch.float64))
        ends.append(
            DPMSolver3().sample(oracle, noise, times=torch.cat([inner.new_ones(1), inner[1:], inner.new_zeros(1)]))
        )
    return Problem(oracle, None, noise, ends[1], 400, rms(*ends))


def theirs(problem: Problem, budget: int, truth: Tensor) -> Setting:
    """Give diffusers' best setting."""
    found = []
    for name, options, make in configurations():
        x = walk(make, problem.denoiser, problem.x_1, budget)
        if x is not None:
            error = problem.error(x)
            found.append((nan_last(error), Setting(name, options, "its own", error, error), x))
    _, best, x = min(found, key=lambda each: each[0])
    return replace(best, distance=sliced(x, truth))


def ours(chosen_on: Problem, judged_on: Problem, budget: int, truth: Tensor) -> dict[str, Setting]:
    """Give our best setting by name, and with a tuned grid."""
    settings = sorted(each_of_ours(chosen_on, budget), key=lambda each: nan_last(each[0].chosen_by))
    best, times = settings[0]
    tuned = []
    methods = dict.fromkeys((each.name, tuple(each.options.items())) for each, _ in settings)
    for name, options in list(methods)[:TUNED]:
        steps = next(len(times) - 1 for each, times in settings if each.name == name)
        found = tune(chosen_on, judged_on, polydiff.sampler(name, **dict(options)), steps)
        tuned.append((Setting(name, dict(options), "a tuned grid", found.found), found.times))
    best_tuned, tuned_times = min(tuned, key=lambda each: each[0].chosen_by)
    return {
        "ours": judge(best, times, judged_on, truth),
        "ours, tuned": judge(best_tuned, tuned_times, judged_on, truth),
    }


def each_of_ours(problem: Problem, budget: int) -> Iterator[tuple[Setting, Tensor]]:
    for name, variants in OURS.items():
        for options in variants:
            sampler = polydiff.sampler(name, **options)
            steps = times_within(sampler, Component("half-log-snr"), problem.denoiser.schedule, budget)
            for grid in GRIDS if steps is not None else ():
                label = " ".join([grid.name, *(f"{key}={value}" for key, value in grid.options.items())])
                for late in (0, 1):
                    times = build_times(grid, problem.denoiser.schedule, len(steps) - 1 + late)[late:]
                    error = problem.error(problem.walk(sampler, times).x)
                    yield Setting(name, options, label + late * " without its first step", error), times


def judge(setting: Setting, times: Tensor, problem: Problem, truth: Tensor) -> Setting:
    x = problem.walk(polydiff.sampler(setting.name, **setting.options), times).x
    return replace(setting, error=problem.error(x), distance=sliced(x, truth))


def nan_last(error: float) -> float:
    return error if math.isfinite(error) else math.inf


def sliced(x: Tensor, y: Tensor) -> float:
    """Give the sliced 2-Wasserstein distance of two sets of as many points, over fixed directions."""
    directions = torch.randn(DIMENSIONS, PROJECTIONS, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    directions /= directions.norm(dim=0)
    return float(((x @ directions).sort(0).values - (y @ directions).sort(0).values).square().mean().sqrt())


def plot(curves: dict[str, list[Setting]]) -> bytes:
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    errors, distances = figure.subplots(1, 2)
    for side, settings in curves.items():
        errors.plot(BUDGETS, [each.error for each in settings], marker="o", label=side)
        distances.plot(BUDGETS, [each.distance for each in settings], marker="o", label=side)
    for axes, label in ((errors, "RMS distance from the exact flow"), (distances, "sliced W2 to true samples")):
        axes.set(xscale="log", yscale="log", xlabel="evaluations", ylabel=label)
        axes.set_xticks(BUDGETS, list(map(str, BUDGETS)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, alpha=0.3)
    errors.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


if __name__ == "__main__":
    main()

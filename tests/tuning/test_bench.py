import math

import pytest
import torch

from polydiff.core.discrete import Discrete
from polydiff.core.schedule import EDM, Cosine, Flow
from polydiff.errors import UsageError
from polydiff.plugins.factory import sampler
from polydiff.recipe.component import Component
from polydiff.tuning.bench import Measurement, best, measure, pareto, plan
from polydiff.tuning.candidates import candidates, grids, times_within
from polydiff.tuning.plot import plot


def test_candidates_follow_the_flow():
    found, left_out = candidates()
    names = {each.component.name for each in found}
    assert {"ddim", "heun", "dpm++2m", "unipc", "dpm-adaptive"} <= names
    assert not names & {"ddpm", "euler-ancestral", "dpm++2m-sde", "er-sde", "restart", "consistency", "euler"}
    assert left_out["euler"] == "the same as ddim"
    assert "draws noise" in left_out["ddpm"]
    tolerances = [each.component.options["rtol"] for each in found if each.adaptive]
    assert tolerances == sorted(tolerances, reverse=True)
    with pytest.raises(UsageError, match="did you mean 'ddim'"):
        candidates(["dimm"])


def test_grids_of_integer_steps_are_for_models_trained_on_them():
    betas = torch.linspace(1e-4, 0.02, 1000).tolist()
    assert {grid.name for grid in grids(Discrete(betas=betas))} - {grid.name for grid in grids(Flow())} == {"discrete"}


@pytest.mark.parametrize(
    ("name", "schedule", "budget", "steps"),
    [
        ("ddim", Cosine(), 7, 7),
        ("heun", Cosine(), 7, 4),
        ("heun", Cosine(), 8, 5),
        ("heun", EDM(), 8, 4),
        ("dpm-solver-3", Cosine(), 10, 4),
        ("dpm-solver-3", EDM(), 10, 3),
        ("heun", EDM(), 1, None),
    ],
)
def test_a_budget_buys_the_most_steps_that_it_can(name, schedule, budget, steps):
    times = times_within(sampler(name), Component("half-log-snr"), schedule, budget)
    assert (None if times is None else len(times) - 1) == steps


def test_what_is_measured_is_what_the_sampler_does(known):
    problem = known()
    found, _ = candidates(["dpm++2m", "heun", "dpm-adaptive"])
    tasks = plan(found, problem.denoiser.schedule, [4, 5, 6, 9])
    measurements = [measure(problem, task) for task in tasks]
    assert all(each.evaluations <= 9 for each in measurements if each.grid)
    one = next(each for each in measurements if each.grid and (each.grid.name, each.steps) == ("karras", 9))
    x = sampler("dpm++2m").sample(problem.denoiser, problem.x_1, steps=9, grid="karras")
    assert one.error == pytest.approx(problem.error(x))
    heun = [each.steps for each in measurements if each.sampler.name == "heun" and each.grid.name == "t"]
    assert heun == [3, 4, 5]  # the first and the last step take one evaluation
    adaptive = [each for each in measurements if each.grid is None]
    evaluations = [each.evaluations for each in adaptive]
    assert len(evaluations) == 3
    assert evaluations == sorted(evaluations)


def measurement(evaluations, error):
    return Measurement(Component("ddim"), Component("t"), 1, evaluations, error, 1.0)


def test_best_and_front():
    every = [measurement(n, e) for n, e in ((5, 0.3), (8, 0.4), (10, 0.2), (4, math.nan), (10, 0.1), (4.5, 0.5))]
    assert [each.error for each in pareto(every)] == [0.5, 0.3, 0.1]
    assert best(every, 9).error == 0.3
    assert best(every, 4) is None


def test_the_plot_is_a_picture():
    every = [measurement(5, 0.3), measurement(10, 0.1), measurement(12, math.inf)]
    assert plot(every, 1e-3).startswith(b"\x89PNG")

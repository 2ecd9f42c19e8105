import pytest
import torch

from polydiff.core.noise import Seeds
from polydiff.core.schedule import Cosine
from polydiff.errors import UsageError
from polydiff.plugins.factory import sampler
from polydiff.sampling.grid import time_grid
from polydiff.tuning.problem import REFERENCE, pose, rms


@pytest.mark.parametrize(
    ("name", "evaluations"), [("ddim", 6), ("heun", 10), ("dpm-solver-2", 10), ("dpm-solver-3", 14), ("unipc", 6)]
)
def test_evaluations_are_counted(known, name, evaluations):
    # The first step, from where there is no data, and the last, to where there is no noise, are of first order.
    walk = known().walk(sampler(name), time_grid("half-log-snr", Cosine(), 6))
    assert walk.evaluations == evaluations
    assert walk.seconds > 0


def test_evaluations_of_samples_with_steps_of_their_own_are_a_mean(known):
    problem, works = known(), []
    times = torch.tensor([1.0, 0.0], dtype=torch.float64)
    method = sampler("dpm-adaptive")
    method.sample(problem.denoiser, problem.x_1, times=times, on_step=lambda end: works.append(end.work))
    walk = problem.walk(method, times)
    assert walk.evaluations == pytest.approx(works[0].evaluations.double().mean().item())
    assert works[0].evaluations.min() < works[0].evaluations.max()


def test_the_error_is_the_distance_from_the_exact_end(known):
    problem = known()
    assert problem.error(problem.reference + 0.25) == pytest.approx(0.25)
    errors = [problem.error(problem.walk(REFERENCE, time_grid("half-log-snr", Cosine(), n)).x) for n in (32, 64, 128)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-3


def test_a_models_reference_is_its_own_flow_to_within_the_convergence(toy_model):
    model = toy_model("a", "b")
    seeds, labels = Seeds(0, [0, 5]), {"label": [0, 1]}
    problem = pose(model, seeds, labels, steps=64)
    fine = model.sample(seeds, labels, sampler="unipc", steps=512)
    assert 0 < rms(problem.reference, fine) < 2 * problem.convergence
    unguided = pose(model, seeds, labels, guidance=1.0, steps=64)
    assert rms(problem.reference, unguided.reference) > 50 * problem.convergence


def test_guidance_needs_a_condition(toy_model):
    with pytest.raises(UsageError, match="needs a condition"):
        pose(toy_model("a"), Seeds(0, [0]), {}, guidance=2.0, steps=16)


def test_what_is_not_finite_has_no_trajectory(toy_model):
    model = toy_model()
    torch.nn.init.constant_(model.backbone.out.weight, float("nan"))
    with pytest.raises(UsageError, match="not finite"):
        pose(model, Seeds(0, [0]), {}, steps=16)

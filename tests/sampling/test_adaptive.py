"""Adaptive steps: the tolerance that is asked for, and what it costs."""

import math

import pytest
import torch

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.oracle import Mixture
from polydiff.core.schedule import EDM, Cosine, Flow
from polydiff.errors import UsageError
from polydiff.plugins.factory import sampler

RATIO = 0.156
"""Of the absolute to the relative tolerance, as in the defaults."""


def _adaptive(tolerance, **options):
    return sampler("dpm-adaptive", rtol=tolerance, atol=RATIO * tolerance, **options)


def _run(method, oracle, x_t, times, **options):
    """Give the last state, the evaluations of each sample and the estimates of its error."""
    works = []
    x = method.sample(oracle, x_t, times=times, on_step=lambda end: works.append(end.work), **options)
    return x, sum(work.evaluations for work in works), sum(work.error for work in works)


def _start(schedule, t):
    alpha, sigma = schedule(t)
    return torch.linspace(-2.5, 2.5, 51, dtype=torch.float64) * (alpha**2 + sigma**2).sqrt()


@pytest.mark.parametrize("order", [2, 3])
def test_the_error_falls_with_the_tolerance_over_four_decades(order):
    numbers = [[-1.0, 0.3, 1.2], [0.25, 0.15, 0.3], [0.4, 0.35, 0.25]]
    mixture = Mixture(*torch.tensor(numbers, dtype=torch.float64), Cosine())
    times = mixture.schedule.time(torch.tensor([-2 * math.log(10), -2 * math.log(0.05)], dtype=torch.float64))
    x_t = _start(mixture.schedule, times[0])
    exact = mixture.flow(x_t, *times)
    errors, estimates = [], []
    for tolerance in (1e-1, 1e-2, 1e-3, 1e-4, 1e-5):
        x, _, estimate = _run(_adaptive(tolerance, order=order), mixture, x_t, times)
        errors.append((x - exact).abs().median().item())
        estimates.append(estimate.median().item())
    assert all(after < before for before, after in zip(errors, errors[1:], strict=False))
    assert errors[-1] < errors[0] / {2: 1000, 3: 300}[order]
    assert all(error < estimate for error, estimate in zip(errors, estimates, strict=True))


def test_the_family_of_the_schedule_makes_no_difference():
    counts, ends = [], []
    for schedule in (EDM(), Flow()):
        oracle = _two_scales(schedule)
        times = schedule.time(torch.tensor([-2 * math.log(10), -2 * math.log(0.01)], dtype=torch.float64))
        x, evaluations, _ = _run(_adaptive(1e-3), oracle, _start(schedule, times[0]), times)
        counts.append(evaluations)
        ends.append(x / schedule(times[1])[0])
    assert torch.equal(*counts)
    torch.testing.assert_close(*ends, rtol=1e-8, atol=1e-8)


def _two_scales(schedule):
    numbers = [[-1.0, 1.0], [0.3, 0.0003], [0.5, 0.5]]
    return Mixture(*torch.tensor(numbers, dtype=torch.float64), schedule)


@pytest.fixture(scope="module")
def scales():
    """A thousandfold between two components' widths: the oracle, noisy data, where they go and from where to where."""
    schedule = EDM(sigma_min=1e-7)
    oracle = _two_scales(schedule)
    times = schedule.time(torch.tensor([-2 * math.log(10), 2 * math.log(1e5)], dtype=torch.float64))
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(100, generator=generator, dtype=torch.float64)
    x_t = oracle.sample(100, generator) + schedule(times[0])[1] * noise
    return oracle, x_t, oracle.flow(x_t, *times), times


def _fixed_grids(schedule, times, steps):
    """Give grids even in the noise level's roots and in its logarithm."""
    rho_t, rho_s = ((-schedule.half_log_snr(t)).exp() for t in times)
    u = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    for power in (1.5, 2, 3, 5, 7, 10, 1e5):
        rho = torch.lerp(rho_t ** (1 / power), rho_s ** (1 / power), u) ** power
        yield schedule.time(-2 * rho.log())


@pytest.mark.parametrize(
    ("order", "tolerance"), [(2, 1e-2), (2, 1e-3), (2, 3e-4), (3, 1e-2), (3, 1e-3), (3, 1e-4), (3, 3e-5)]
)
def test_it_is_better_than_the_best_fixed_grid_with_more_evaluations(order, tolerance, scales):
    oracle, x_t, exact, times = scales
    x, evaluations, _ = _run(_adaptive(tolerance, order=order), oracle, x_t, times)
    steps = math.ceil(evaluations.double().mean() / order)
    fixed = [
        (sampler(f"dpm-solver-{order}").sample(oracle, x_t, times=grid) - exact).square().mean().sqrt()
        for grid in _fixed_grids(oracle.schedule, times, steps)
    ]
    assert (x - exact).square().mean().sqrt() < min(fixed)


@pytest.mark.parametrize(("order", "tolerance"), [(2, 1e-3), (2, 3e-4), (3, 3e-4), (3, 1e-4)])
def test_steps_of_ones_own_help_the_worst_decile(order, tolerance, scales):
    oracle, x_t, exact, times = scales

    def run(shared, tolerance):
        x, evaluations, _ = _run(_adaptive(tolerance, order=order, shared=shared), oracle, x_t, times)
        return (x - exact).abs().quantile(0.9), evaluations.double().mean(), evaluations

    error, mean, evaluations = run(False, tolerance)
    assert evaluations.max() > 2 * evaluations.min()
    # The shared steps that cost as much on average: those of a looser tolerance.
    looser = next(each for factor in (1.5, 2, 3, 4, 6) if (each := run(True, factor * tolerance))[1] < 1.1 * mean)
    assert looser[1] > 0.9 * mean
    assert error < looser[0]


def test_every_evaluation_is_counted(scales):
    oracle, x_t, _, times = scales
    seen = []

    class Counting(Denoiser):
        schedule = oracle.schedule

        def forward(self, x_t, t, cond=None):
            seen.append(len(x_t))
            return oracle(x_t, t, cond)

    middle = oracle.schedule.time(torch.tensor(0.0, dtype=torch.float64))
    _, evaluations, _ = _run(_adaptive(1e-2), Counting(), x_t, [times[0], middle, times[1]])
    assert sum(seen) == evaluations.sum()


def test_a_rejected_step_is_tried_again_with_the_estimate_that_it_started_from(scales):
    oracle, x_t, _, times = scales
    starts = []

    class Recording(Denoiser):
        schedule = oracle.schedule

        def forward(self, x_t, t, cond=None):
            starts.append(float(t))
            return oracle(x_t, t, cond)

    # The first step, of all of the way, is rejected several times over.
    method = sampler("dpm-adaptive", rtol=1e-3, atol=1e-4, order=2, h_init=10.0)
    method.sample(Recording(), x_t[:1], times=times)
    assert starts[0] == times[0]
    assert len(starts) == len(set(starts))


def test_conditions_follow_their_samples(mixture, even):
    cond = Condition(vector=torch.eye(3, dtype=torch.float64).repeat(17, 1))
    times = even(1)
    x_t = _start(mixture.schedule, times[0])
    together, _, _ = _run(_adaptive(1e-5), mixture, x_t, times, cond=cond)
    for k in range(3):
        one = Mixture(mixture.means[[k]], mixture.stds[[k]], torch.ones(1), mixture.schedule)
        torch.testing.assert_close(together[k::3], one.flow(x_t[k::3], *times), rtol=0, atol=1e-3)


class Broken(Denoiser):
    schedule = Flow()

    def forward(self, x_t, t, cond=None):
        return x_t * torch.nan


def test_what_it_cannot_do_is_refused(scales):
    oracle, x_t, _, times = scales
    with pytest.raises(UsageError, match="no step small enough"):
        _adaptive(1e-2).sample(Broken(), x_t, times=[0.9, 0.1])
    with pytest.raises(UsageError, match="below the precision of"):
        _adaptive(1e-7).sample(oracle, x_t.float(), times=times)
    with pytest.raises(UsageError, match="order 2 or 3"):
        sampler("dpm-adaptive", order=4)
    with pytest.raises(UsageError, match="atol > 0"):
        sampler("dpm-adaptive", atol=0.0)

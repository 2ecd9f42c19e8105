"""Flow maps against known ones: the identity, its fixed point and the sampler, on every family of schedules."""

import pytest
import torch

from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.oracle import Mixture
from polydiff.core.prediction import prediction
from polydiff.core.schedule import Cosine, Flow
from polydiff.distillation.flow_map import FlowMap, whole
from polydiff.errors import UsageError
from polydiff.plugins.factory import sampler
from polydiff.training.weighting import Constant
from polydiff.verification.known import FAMILIES, even, gaussian, mixture

every_schedule = pytest.mark.parametrize("schedule", FAMILIES.values(), ids=FAMILIES)


@every_schedule
def test_a_step_is_made_of_its_parts(exact, schedule):
    """Asked of three bumps, whose trajectories are no straight lines."""
    x_t, t, _ = exact.batch(50)
    alpha, sigma = schedule(t)
    x_t = x_t[:, 0] * (alpha**2 + sigma**2).sqrt()
    times = torch.stack((t, 0.6 * t, 0.1 * t))
    student = exact.FlowMap(mixture(schedule))
    torch.testing.assert_close(
        whole(student, x_t, times, exact.told(50)), student(x_t, t, s=times[2]), rtol=1e-9, atol=1e-9
    )


@every_schedule
def test_to_the_data_only_the_second_part_counts(exact, schedule):
    x_t, t, _ = exact.batch(20)
    times = torch.stack((t, 0.5 * t, 0 * t))
    student = exact.FlowMap(gaussian(schedule))
    torch.testing.assert_close(
        whole(student, x_t, times, exact.told(20)), student(x_t, t, s=times[2]), rtol=1e-10, atol=1e-10
    )


@every_schedule
def test_the_exact_flow_map_has_no_loss_and_no_gradient(exact, schedule):
    x0, t, eps = exact.batch()
    oracle = gaussian(schedule)
    method = FlowMap(teacher=exact.Teacher(oracle), weighting=Constant())
    student = exact.FlowMap(oracle)
    loss = method.losses(student, x0, t, eps, exact.told(len(x0)))
    assert loss.shape == (len(x0),)
    assert loss.max() < 1e-20
    loss.sum().backward()
    assert abs(student.error.grad) < 1e-9


@every_schedule
def test_another_map_has_both(exact, schedule):
    x0, t, eps = exact.batch()
    oracle = gaussian(schedule)
    student = exact.FlowMap(oracle, error=0.01)
    FlowMap(teacher=exact.Teacher(oracle), weighting=Constant()).losses(
        student, x0, t, eps, exact.told(len(x0))
    ).mean().backward()
    assert student.error.grad > 1e-3


class LinearMap(torch.nn.Module):
    """Mean x_0 = a x_t + b with numbers of its own for each pair of times of a grid."""

    def __init__(self, oracle, grid):
        super().__init__()
        self.schedule, self.grid = oracle.schedule, grid
        self.map = torch.zeros(len(grid), len(grid), 2, dtype=torch.float64)

    def forward(self, x_t, t, cond=None, mask=None, s=None):
        i, j = (torch.searchsorted(self.grid, each.contiguous()) for each in (t, t if s is None else s))
        a, b = self.map[i, j].T
        return a[:, None] * x_t + b[:, None]


@every_schedule
def test_trained_on_steps_made_of_parts_linear_maps_become_the_exact_composition(exact, schedule):
    """The shortest steps are DDIM's; every longer one is regressed on what its halves make of it."""
    oracle, N = gaussian(schedule), 16
    grid = even(schedule, N).flip(0)
    student, told_ = LinearMap(oracle, grid), exact.told(3)
    x_t = torch.tensor([[-1.0], [0.3], [2.0]], dtype=torch.float64)

    def regress(i, j, x0):
        design = torch.cat((x_t, torch.ones_like(x_t)), 1)
        student.map[i, j] = torch.linalg.lstsq(design, x0).solution[:, 0]

    for i in range(1, N + 1):
        regress(i, i - 1, oracle(x_t, grid[i]))
    length = 2
    while length <= N:
        for i in range(length, N + 1):
            times = grid[[i, i - length // 2, i - length]][:, None].expand(3, 3)
            regress(i, i - length, whole(student, x_t, times, told_))
        length *= 2
    walked = sampler("ddim").sample(oracle, x_t, times=grid.flip(0))
    once = whole_step(student, x_t, grid)
    torch.testing.assert_close(once, walked, rtol=1e-10, atol=1e-10)


def whole_step(student, x_t, grid):
    (alpha_t, sigma_t), (alpha_s, sigma_s) = student.schedule(grid[-1]), student.schedule(grid[0])
    c = sigma_s / sigma_t
    x0 = student(x_t, grid[-1].expand(3), s=grid[0].expand(3))
    return c * x_t + (alpha_s - alpha_t * c) * x0


@every_schedule
@pytest.mark.parametrize("steps", [1, 3, 8])
def test_the_sampler_is_exact_where_the_flow_map_is(schedule, steps):
    oracle, times = mixture(schedule), even(schedule, steps)
    alpha, sigma = schedule(times[0])
    x_t = torch.linspace(-2, 2, 9, dtype=torch.float64) * (alpha**2 + sigma**2).sqrt()
    x_s = sampler("flow-map").sample(oracle, x_t, times=times)
    torch.testing.assert_close(x_s, oracle.flow(x_t, times[0], times[-1]), rtol=1e-9, atol=1e-9)


def test_a_mean_is_no_flow_map():
    denoiser = NetworkDenoiser(torch.nn.Identity(), Cosine(), prediction("v"))
    with pytest.raises(UsageError, match="learned no flow map, which sampler 'flow-map' follows; use 'ddim'"):
        sampler("flow-map").sample(denoiser, torch.zeros(1, 2), steps=2)


class Network(torch.nn.Module):
    """Gives back what it is told."""

    def forward(self, x, log_snr, cond=None):
        return x + log_snr[:, None] + cond.vector


def test_a_network_is_told_where_a_step_ends():
    class Target(torch.nn.Module):
        def forward(self, log_snr):
            return 100 * log_snr[:, None]

    schedule = Flow()
    denoiser = NetworkDenoiser(Network(), schedule, prediction("x0"), Target()).double()
    x_t = torch.zeros(1, 1, dtype=torch.float64)
    t, s = torch.tensor([0.7, 0.2], dtype=torch.float64)
    at = schedule.log_snr(t) + 100 * schedule.log_snr(t)
    toward = schedule.log_snr(t) + 100 * schedule.log_snr(s)
    assert denoiser(x_t, t).item() == pytest.approx(at.item())
    assert denoiser.toward(s)(x_t, t).item() == pytest.approx(toward.item())
    with pytest.raises(UsageError, match="towards the data only"):
        denoiser.toward(t)(x_t, s)


def test_guidance_follows_flow_maps():
    import polydiff

    oracle = Mixture(*torch.tensor([[-1.0, 2.0], [0.4, 0.6], [0.3, 0.7]], dtype=torch.float64), Cosine())
    guided = polydiff.guidance("cfg", oracle, scale=1.0)
    x_t, (t, s) = torch.tensor([0.3], dtype=torch.float64), torch.tensor([0.8, 0.1], dtype=torch.float64)
    torch.testing.assert_close(guided.toward(s)(x_t, t), oracle.toward(s)(x_t, t))

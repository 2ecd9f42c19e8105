"""Where diffusers' samplers differ from ours, and what the exact answer says."""

import itertools

import pytest
import torch

from polydiff.core.discrete import Discrete
from polydiff.core.oracle import Gaussian, Mixture
from polydiff.plugins.factory import sampler
from polydiff.sampling.grid import time_grid

diffusers = pytest.importorskip("diffusers")

pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")


@pytest.fixture
def oracle():
    means, stds, weights = torch.tensor([[-1.0, 0.3, 1.2], [0.25, 0.15, 0.3], [0.4, 0.35, 0.25]], dtype=torch.float64)
    return Mixture(means[:, None], stds, weights, _schedule())


def _schedule():
    return Discrete(alphas_cumprod=diffusers.DDIMScheduler().alphas_cumprod.tolist())


@pytest.fixture
def x_1():
    return torch.linspace(-2.5, 2.5, 101, dtype=torch.float64)[:, None]


def _eps(oracle, x_t, timestep):
    t = (torch.as_tensor(timestep, dtype=torch.float64) + 1) / 1000
    alpha, sigma = oracle.schedule(t)
    return (x_t - alpha * oracle(x_t, t)) / sigma


def _walk(scheduler, oracle, x, times):
    """Walk the given times, as in test_diffusers.py."""
    alpha, sigma = oracle.schedule(times)
    scheduler.set_timesteps(len(times) - 1)
    scheduler.sigmas, scheduler.timesteps = sigma / alpha, times[:-1] * 1000 - 1
    scheduler.set_begin_index(0)
    for timestep in scheduler.timesteps:
        x = scheduler.step(_eps(oracle, x, timestep), timestep, x).prev_sample
    return x


def test_third_order_multistep_lacks_a_factor_of_two(oracle, x_1):
    times = time_grid("half-log-snr", oracle.schedule, 160)[40:120]
    x_t = oracle.flow(x_1, 1.0, times[0])
    exact = oracle.flow(x_t, times[0], times[-1])
    scheduler = diffusers.DPMSolverMultistepScheduler(solver_order=3, lower_order_final=False)
    theirs = (_walk(scheduler, oracle, x_t, times) - exact).abs().median()
    ours = (sampler("dpm++3m").sample(oracle, x_t, times=times) - exact).abs().median()
    assert ours < theirs / 2


def test_ddims_fixed_stride_leaves_the_labels_of_its_states(x_1):
    """Diffusers issue 12633: 1000 // 30 is not how far apart the times of 30 steps are.

    The path of a point is exact under DDIM, so that a state must be where its label says.
    """
    point = Gaussian(*torch.tensor([0.7, 0.0], dtype=torch.float64), _schedule())
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(30)
    x, theirs, ours = x_1, [], []

    def stray(x_s, s):
        return (x_s - point.flow(x_1, *torch.tensor([1.0, s], dtype=torch.float64))).abs().max().item()

    for timestep, following in itertools.pairwise(scheduler.timesteps.tolist()):
        x = scheduler.step(_eps(point, x, timestep), timestep, x).prev_sample
        theirs.append(stray(x, (following + 1) / 1000))
    sampler("ddim").sample(
        point,
        x_1,
        steps=30,
        grid="discrete",
        on_step=lambda end: ours.append(stray(end.x_s, end.s.t)),
    )
    assert max(ours) < 1e-12
    assert max(theirs) > 1e-3


def test_unipc_bh1_is_not_finite_at_the_data(oracle, x_1):
    times = time_grid("half-log-snr", oracle.schedule, 20)
    scheduler = diffusers.UniPCMultistepScheduler(solver_type="bh1", final_sigmas_type="zero")
    assert _walk(scheduler, oracle, x_1, times).isnan().all()
    ours = sampler("unipc", variant="bh1").sample(oracle, x_1, times=times)
    assert (ours - oracle.flow(x_1, 1.0, 0.0)).abs().median() < 0.02

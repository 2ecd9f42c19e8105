"""The same network, noise and levels through diffusers' samplers, where those are right."""

import functools

import pytest
import torch

from polydiff.core.denoiser import Denoiser
from polydiff.core.discrete import Discrete
from polydiff.plugins.factory import sampler
from polydiff.sampling.grid import time_grid

diffusers = pytest.importorskip("diffusers")

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:`algorithm_types=dpmsolver`:FutureWarning"),
]


class Network(Denoiser):
    """A fixed network that predicts noise from x_t and diffusers' timestep; its x_0 stays of order one."""

    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule
        generator = torch.Generator().manual_seed(0)
        self.first = torch.randn(9, 32, generator=generator, dtype=torch.float64) / 3
        self.last = torch.randn(32, 8, generator=generator, dtype=torch.float64) / 6

    def eps(self, x_t, timestep):
        time = torch.full((len(x_t), 1), timestep / 1000, dtype=torch.float64)
        alpha, sigma = self.schedule(torch.tensor((timestep + 1) / 1000, dtype=torch.float64))
        return sigma * x_t + alpha * torch.tanh(torch.cat([x_t, time], 1) @ self.first) @ self.last

    def forward(self, x_t, t, cond=None):
        alpha, sigma = self.schedule(t)
        return (x_t - sigma * self.eps(x_t, float(t) * 1000 - 1)) / alpha


class Randn:
    """Stands for seeds: the noise that diffusers draws, in its order."""

    def __init__(self, dtype=torch.float64):
        self.generator = torch.Generator().manual_seed(0)
        self.dtype = dtype

    def normal(self, shape, *, stream, step, device, dtype):
        return torch.randn((5, *shape), generator=self.generator, dtype=self.dtype).to(dtype)


@pytest.fixture
def network():
    table = diffusers.DDIMScheduler().alphas_cumprod  # float32, as theirs is
    return Network(Discrete(alphas_cumprod=table.tolist()))


@pytest.fixture
def noise():
    return torch.randn(5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def _theirs(scheduler, network, x, times, *, scaled=False, twice=False, **step_options):
    """Walk the given times in float64, one evaluation at each but the last.

    `scaled` schedulers hold x / alpha; those that evaluate `twice` list every level but the first and last twice.
    """
    alpha, sigma = network.schedule(times)
    sigmas, timesteps = sigma / alpha, times[:-1] * 1000 - 1
    if twice:
        sigmas = torch.cat([sigmas[:1], sigmas[1:-1].repeat_interleave(2), sigmas[-1:]])
        timesteps = torch.cat([timesteps[:1], timesteps[1:].repeat_interleave(2)])
    scheduler.set_timesteps(len(times) - 1)
    scheduler.sigmas, scheduler.timesteps = sigmas, timesteps
    scheduler.set_begin_index(0)
    x = x / alpha[0] if scaled else x
    for timestep in timesteps:
        seen = scheduler.scale_model_input(x, timestep)
        x = scheduler.step(network.eps(seen, float(timestep)), timestep, x, **step_options).prev_sample
    return x * alpha[-1] if scaled else x


@pytest.mark.parametrize("steps", [5, 20, 50])
def test_ddim_agrees(network, noise, steps):
    # Trailing spacing with a stride that divides 1000; elsewhere its previous timestep is wrong (diffusers issue
    # 12633).
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True)
    scheduler.set_timesteps(steps)
    x = noise
    for timestep in scheduler.timesteps.tolist():
        x = scheduler.step(network.eps(x, timestep), timestep, x).prev_sample
    ours = sampler("ddim").sample(network, noise, steps=steps, grid="t")
    torch.testing.assert_close(ours, x, rtol=0, atol=1e-5)


Euler = functools.partial(diffusers.EulerDiscreteScheduler)
Heun = functools.partial(diffusers.HeunDiscreteScheduler)
LMS = functools.partial(diffusers.LMSDiscreteScheduler)
Multistep = functools.partial(diffusers.DPMSolverMultistepScheduler, final_sigmas_type="zero")
UniPC = functools.partial(diffusers.UniPCMultistepScheduler, final_sigmas_type="zero")
SCALED, TWICE = {"scaled": True}, {"scaled": True, "twice": True}


@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize(
    ("name", "options", "scheduler", "kind"),
    [
        ("euler", {}, Euler, SCALED),
        ("heun", {}, Heun, TWICE),
        ("lms", {}, LMS, SCALED),
        ("dpm++2m", {}, Multistep, {}),
        ("unipc", {}, UniPC, {}),
    ],
    ids=["euler", "heun", "lms", "dpm++2m", "unipc"],
)
def test_they_agree_down_to_the_data(name, options, scheduler, kind, network, noise, steps):
    times = time_grid("half-log-snr", network.schedule, steps)
    theirs = _theirs(scheduler(), network, noise, times, **kind)
    ours = sampler(name, **options).sample(network, noise, times=times)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("steps", [5, 20])
@pytest.mark.parametrize(
    ("name", "options", "scheduler"),
    [
        ("dpm++3m", {"published": True}, functools.partial(diffusers.DPMSolverMultistepScheduler, solver_order=3)),
        ("deis", {"order": 2, "variable": "log-rho"}, diffusers.DEISMultistepScheduler),
        (
            "deis",
            {"order": 3, "variable": "log-rho"},
            functools.partial(diffusers.DEISMultistepScheduler, solver_order=3),
        ),
        (
            "unipc",
            {"variant": "bh1"},
            functools.partial(diffusers.UniPCMultistepScheduler, solver_type="bh1"),
        ),
        ("unipc", {"order": 1}, functools.partial(diffusers.UniPCMultistepScheduler, solver_order=1)),
        ("unipc", {"order": 3}, functools.partial(diffusers.UniPCMultistepScheduler, solver_order=3)),
    ],
    ids=["dpm++3m-published", "deis-2", "deis-3", "unipc-bh1", "unipc-1", "unipc-3"],
)
def test_they_agree_down_to_a_little_noise(name, options, scheduler, network, noise, steps):
    # At the data they fall back to lower orders earlier than ours.
    times = time_grid("half-log-snr", network.schedule, steps)[:-1]
    scheduler = scheduler(lower_order_final=False)
    scheduler.register_to_config(final_sigmas_type="sigma_min")
    ours = sampler(name, **options).sample(network, noise, times=times)
    torch.testing.assert_close(ours, _theirs(scheduler, network, noise, times), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "algorithm"), [("dpm++2s", "dpmsolver++"), ("dpm-solver-2", "dpmsolver")], ids=["dpm++2s", "dpm-solver-2"]
)
def test_single_step_methods_agree(name, algorithm, network, noise):
    # Theirs take every other level of an even grid for the middle of a step.
    times = time_grid("half-log-snr", network.schedule, 15)[:-1]
    scheduler = diffusers.DPMSolverSinglestepScheduler(
        algorithm_type=algorithm, solver_order=2, lower_order_final=False, final_sigmas_type="sigma_min"
    )
    ours = sampler(name).sample(network, noise, times=times[::2])
    theirs = _theirs(scheduler, network, noise, times)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_euler_ancestral_agrees(network, noise):
    times = time_grid("half-log-snr", network.schedule, 10)
    scheduler = diffusers.EulerAncestralDiscreteScheduler()
    theirs = _theirs(scheduler, network, noise, times, scaled=True, generator=torch.Generator().manual_seed(0))
    ours = sampler("euler-ancestral").sample(network, noise, times=times, seeds=Randn())
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


def test_dpmpp_2m_sde_agrees(network, noise):
    times = time_grid("half-log-snr", network.schedule, 10)
    scheduler = Multistep(algorithm_type="sde-dpmsolver++")
    theirs = _theirs(scheduler, network, noise, times, generator=torch.Generator().manual_seed(0))
    ours = sampler("dpm++2m-sde").sample(network, noise, times=times, seeds=Randn(torch.float32))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)

"""The same network and noise through diffusers' samplers, where those are right."""

import pytest
import torch

from polydiff.core.denoiser import Denoiser
from polydiff.core.discrete import Discrete
from polydiff.sampling.ddim import DDIM
from polydiff.sampling.dpmpp_2m import DPMpp2M

diffusers = pytest.importorskip("diffusers")


class Network(Denoiser):
    """A fixed network that predicts noise from x_t and diffusers' integer timestep; its x_0 stays of order one."""

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


def _theirs(scheduler, network, x, steps):
    scheduler.set_timesteps(steps)
    timesteps = scheduler.timesteps.tolist()
    for timestep in timesteps:
        x = scheduler.step(network.eps(x, timestep), timestep, x).prev_sample
    return x, timesteps


@pytest.fixture
def network():
    table = diffusers.DDIMScheduler().alphas_cumprod  # float32, as theirs is
    return Network(Discrete(alphas_cumprod=table.tolist()))


@pytest.fixture
def noise():
    return torch.randn(5, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.mark.parametrize("steps", [5, 20, 50])
def test_ddim_agrees_with_diffusers(network, noise, steps):
    # Trailing spacing with a stride that divides 1000; elsewhere its previous timestep is wrong (diffusers issue
    # 12633).
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True)
    theirs, timesteps = _theirs(scheduler, network, noise, steps)
    times = torch.tensor([*timesteps, -1], dtype=torch.float64).add(1) / 1000
    ours = DDIM().sample(network, noise, times=times)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("steps", [5, 20, 50])
def test_dpmpp_2m_agrees_with_diffusers(network, noise, steps):
    scheduler = diffusers.DPMSolverMultistepScheduler(
        solver_order=2, timestep_spacing="trailing", final_sigmas_type="zero", lower_order_final=True
    )
    theirs, timesteps = _theirs(scheduler, network, noise, steps)
    times = torch.tensor([*timesteps, -1], dtype=torch.float64).add(1) / 1000
    ours = DPMpp2M().sample(network, noise, times=times)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)

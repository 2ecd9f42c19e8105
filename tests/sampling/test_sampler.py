"""The loop: what it calls, what it carries, what it refuses."""

import math

import pytest
import torch

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.core.discrete import Discrete
from polydiff.core.noise import Seeds
from polydiff.core.oracle import Gaussian
from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.errors import UsageError
from polydiff.sampling.ddim import DDIM
from polydiff.sampling.ddpm import DDPM
from polydiff.sampling.dpmpp_2m import DPMpp2M
from polydiff.sampling.grid import GRIDS, time_grid
from polydiff.sampling.sampler import prior

SCHEDULES = {
    "linear": Linear(),
    "zero-terminal": Linear(zero_terminal_snr=True),
    "cosine": Cosine(),
    "edm": EDM(),
    "flow": Flow(),
    "discrete": Discrete(betas=torch.linspace(1e-4, 0.02, 1000).tolist()),
}
SAMPLERS = {"ddpm": DDPM(), "ddim": DDIM(), "ddim-eta": DDIM(eta=0.7), "dpm++2m": DPMpp2M()}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())
every_grid = pytest.mark.parametrize("grid", GRIDS)


def _oracle(schedule):
    return Gaussian(torch.tensor(0.5).double(), torch.tensor(0.3).double(), schedule)


@every_schedule
@every_grid
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_grids_fall_from_one_to_zero(grid, schedule, steps):
    times = time_grid(grid, schedule, steps)
    assert times.shape == (steps + 1,)
    assert times.dtype == torch.float64
    assert (times[0], times[-1]) == (1, 0)
    assert (times.diff() < 0).all()


def test_half_log_snr_grid_is_even_between_its_ends():
    interior = Cosine().half_log_snr(time_grid("half-log-snr", Cosine(), 20)[1:-1])
    torch.testing.assert_close(interior.diff(), interior.diff()[:1].expand(18))


@every_schedule
@every_sampler
@every_grid
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_every_state_is_finite_from_pure_noise_to_data(sampler, schedule, grid, steps):
    seeds = Seeds(0, range(4))
    x_1 = prior(schedule, seeds, (3,)).double()
    ends = []
    x = sampler.sample(_oracle(schedule), x_1, steps=steps, grid=grid, seeds=seeds, on_step=ends.append)
    assert all(torch.isfinite(e.x_s).all() for e in ends)
    assert torch.equal(ends[-1].x_s, x)
    if steps == 10:
        assert (x - 0.5).abs().max() < 1.5


@every_sampler
def test_a_step_starts_at_the_level_where_the_one_before_ended(sampler):
    visited, ends = [], []

    class Watching(Gaussian):
        def forward(self, x_t, t, cond=None):
            visited.append((float(t), x_t))
            return super().forward(x_t, t, cond)

    schedule = Cosine()
    oracle = Watching(torch.tensor(0.5).double(), torch.tensor(0.3).double(), schedule)
    seeds = Seeds(0, range(2))
    sampler.sample(oracle, prior(schedule, seeds, (3,)).double(), steps=6, seeds=seeds, on_step=ends.append)
    assert [e.index for e in ends] == list(range(6))
    assert {e.steps for e in ends} == {6}
    for (t, x_t), end in zip(visited, ends, strict=True):
        assert t == end.t.t
        assert torch.equal(x_t, end.x_t)
    for before, after in zip(ends, ends[1:], strict=False):
        assert before.s == after.t
        assert before.x_s is after.x_t


@every_schedule
@every_sampler
def test_the_state_keeps_the_noise_level_that_the_schedule_says(sampler, schedule):
    """With data at the origin and an exact denoiser, x_t is nothing but sigma_t times unit noise."""
    oracle = Gaussian(torch.tensor(0.0).double(), torch.tensor(0.0).double(), schedule)
    seeds = Seeds(0, range(4000))
    ends = []
    x_1 = prior(schedule, seeds, (8,)).double()
    sampler.sample(oracle, x_1, steps=8, seeds=seeds, on_step=ends.append)
    for end in ends[:-1]:
        assert end.x_s.std().item() == pytest.approx(end.s.sigma, rel=0.02)


def test_the_condition_reaches_the_denoiser():
    class Echo(Denoiser):
        schedule = Flow()

        def forward(self, x_t, t, cond=None):
            return cond.vector

    vector = torch.randn(2, 3)
    x = DDIM().sample(Echo(), torch.randn(2, 3), steps=4, cond=Condition(vector=vector))
    torch.testing.assert_close(x, vector)


@every_sampler
def test_samples_do_not_depend_on_the_batch(sampler):
    schedule, seeds = Cosine(), Seeds(3, range(12))
    oracle = _oracle(schedule)

    def run(part):
        return sampler.sample(oracle, prior(schedule, part, (5,)).double(), steps=9, seeds=part)

    parts = torch.cat([run(seeds[i : i + 5]) for i in range(0, 12, 5)])
    torch.testing.assert_close(parts, run(seeds), rtol=0, atol=1e-12)


def test_half_log_snr_of_a_level_is_infinite_at_the_ends():
    ends = []
    DDIM().sample(_oracle(Flow()), torch.ones(1).double(), times=[1.0, 0.5, 0.0], on_step=ends.append)
    assert ends[0].t.half_log_snr == -math.inf
    assert ends[0].s.half_log_snr == 0
    assert ends[1].s.half_log_snr == math.inf


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either steps or times"),
        ({"steps": 3, "times": [1.0, 0.0]}, "either steps or times"),
        ({"steps": 0}, "at least one step"),
        ({"times": [0.2, 0.4]}, "smaller than the one before"),
        ({"times": [0.2]}, "at least two numbers"),
        ({"times": [0.3, math.nan]}, "smaller than the one before"),
        ({"steps": 3, "grid": "half-log-snrr"}, "did you mean 'half-log-snr'"),
    ],
)
def test_senseless_walks_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        DDIM().sample(_oracle(Flow()), torch.ones(1), **options)


def test_a_stochastic_sampler_without_seeds_is_refused():
    with pytest.raises(UsageError, match="seeds"):
        DDPM().sample(_oracle(Flow()), torch.ones(1), steps=3)
    with pytest.raises(UsageError, match="eta"):
        DDIM(eta=1.5)

"""The loop: what it calls, what it carries, what it refuses."""

import itertools
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
from polydiff.plugins.builtin import polydiff_samplers
from polydiff.plugins.factory import sampler as make
from polydiff.sampling.ddim import DDIM
from polydiff.sampling.ddpm import DDPM
from polydiff.sampling.grid import GRIDS
from polydiff.sampling.sampler import prior

SCHEDULES = {
    "linear": Linear(),
    "zero-terminal": Linear(zero_terminal_snr=True),
    "cosine": Cosine(),
    "edm": EDM(),
    "flow": Flow(),
    "discrete": Discrete(betas=torch.linspace(1e-4, 0.02, 1000).tolist()),
}
SAMPLERS = {
    **{spec.name: make(spec.name) for spec in polydiff_samplers()},
    "ddim-eta": make("ddim", eta=0.7),
    "heun-churn": make("heun", s_churn=4.0),
}
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS.keys())


def _oracle(schedule):
    return Gaussian(torch.tensor(0.5).double(), torch.tensor(0.3).double(), schedule)


@every_schedule
@every_sampler
def test_every_state_is_finite_from_pure_noise_to_data(sampler, schedule):
    seeds = Seeds(0, range(4))
    x_1 = prior(schedule, seeds, (3,)).double()
    for grid, steps in itertools.product(sorted(GRIDS.keys() - {"times"}), (1, 3, 10)):
        ends = []
        x = sampler.sample(_oracle(schedule), x_1, steps=steps, grid=grid, seeds=seeds, on_step=ends.append)
        assert all(torch.isfinite(e.x_s).all() for e in ends)
        assert torch.equal(ends[-1].x_s, x)
        if steps == 10:
            assert (x - 0.5).abs().max() < 1.5


class Watching(Gaussian):
    """Remembers what it was asked."""

    def __init__(self):
        super().__init__(torch.tensor(0.5).double(), torch.tensor(0.3).double(), Cosine())
        self.asked = []

    def forward(self, x_t, t, cond=None):
        self.asked.append((t, x_t))
        return super().forward(x_t, t, cond)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "heun-churn"])
def test_a_step_starts_at_the_level_where_the_one_before_ended(name):
    oracle, ends = Watching(), []
    seeds = Seeds(0, range(2))
    x_1 = prior(oracle.schedule, seeds, (3,)).double()
    SAMPLERS[name].sample(oracle, x_1, steps=6, seeds=seeds, on_step=ends.append)
    assert [e.index for e in ends] == list(range(6))
    assert {e.steps for e in ends} == {6}
    for end in ends:
        level = torch.tensor(end.t.t, dtype=torch.float64)
        assert any(
            torch.allclose(t, level, rtol=1e-12, atol=0) and torch.allclose(x_t, end.x_t, rtol=1e-12, atol=1e-14)
            for t, x_t in oracle.asked
        )
    for before, after in zip(ends, ends[1:], strict=False):
        assert before.s == after.t
        assert before.x_s is after.x_t


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "dpm-adaptive"])
def test_samplers_tell_how_many_evaluations_a_step_takes(name):
    sampler = SAMPLERS[name]
    oracle, seeds, counts = Watching(), Seeds(0, range(2)), []
    x_t = torch.ones(2, 3, dtype=torch.float64)
    times = [0.9, 0.8, 0.6, 0.4, 0.2, 0.1]
    sampler.sample(oracle, x_t, times=times, seeds=seeds, on_step=lambda _: counts.append(len(oracle.asked)))
    assert counts[-1] - counts[-2] == sampler.evaluations


@every_schedule
@every_sampler
def test_the_state_keeps_the_noise_level_that_the_schedule_says(sampler, schedule):
    """With data at the origin and an exact denoiser, x_t is nothing but sigma_t times unit noise."""
    oracle = Gaussian(torch.tensor(0.0).double(), torch.tensor(0.0).double(), schedule)
    seeds = Seeds(0, range(2000))
    ends = []
    x_1 = prior(schedule, seeds, (8,)).double()
    sampler.sample(oracle, x_1, steps=8, seeds=seeds, on_step=ends.append)
    for end in ends[:-1]:
        assert end.x_s.std().item() == pytest.approx(end.s.sigma, rel=0.025)


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

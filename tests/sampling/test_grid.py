"""Time grids against their formulas and against diffusers' integer timesteps."""

import functools
import math

import pytest
import torch

from polydiff.core.discrete import Discrete
from polydiff.core.oracle import Gaussian
from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.errors import UsageError
from polydiff.sampling.ddim import DDIM
from polydiff.sampling.grid import GRIDS, INFINITY, karras, time_grid

SCHEDULES = {
    "linear": Linear(),
    "zero-terminal": Linear(zero_terminal_snr=True),
    "cosine": Cosine(),
    "edm": EDM(),
    "flow": Flow(),
    "discrete": Discrete(betas=torch.linspace(1e-4, 0.02, 1000).tolist()),
}
any_schedule = pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES.keys())


@any_schedule
@pytest.mark.parametrize("grid", sorted(GRIDS.keys() - {"times"}))
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
def test_grids_fall_from_one_to_zero(grid, schedule, steps):
    times = time_grid(grid, schedule, steps)
    assert times.shape == (steps + 1,)
    assert times.dtype == torch.float64
    assert (times[0], times[-1]) == (1, 0)
    assert (times.diff() < 0).all()


def test_half_log_snr_is_even_between_its_ends():
    interior = Cosine().half_log_snr(time_grid("half-log-snr", Cosine(), 20)[1:-1])
    torch.testing.assert_close(interior.diff(), interior.diff()[:1].expand(18))


def test_ends_stand_for_infinite_half_log_snrs_alone():
    asked = {"ends": (-4.0, 2.75)}
    interior = Cosine().half_log_snr(time_grid("half-log-snr", Cosine(), 10, **asked)[1:-1])
    torch.testing.assert_close(interior, torch.linspace(-4.0, 2.75, 10, dtype=torch.float64)[1:])
    assert torch.equal(time_grid("half-log-snr", EDM(), 10, **asked), time_grid("half-log-snr", EDM(), 10))


def test_karras_is_even_in_the_root_of_the_noise_level():
    times = time_grid("karras", Flow(), 12, rho=5.0)[1:-1]
    root = (times / (1 - times)) ** (1 / 5)
    torch.testing.assert_close(root.diff(), root.diff()[:1].expand(10))
    torch.testing.assert_close(root[-1], torch.tensor(math.exp(-INFINITY / 5), dtype=torch.float64))


@pytest.mark.parametrize("rho", [3.0, 7.0])
def test_karras_on_edms_schedule_is_even_in_time(rho):
    times = time_grid("karras", EDM(rho=rho), 10, rho=rho)
    torch.testing.assert_close(times, time_grid("t", EDM(), 10), rtol=0, atol=1e-12)


def test_karras_with_a_large_rho_is_half_log_snr():
    ours, even = (time_grid(name, Cosine(), 9, **o) for name, o in (("karras", {"rho": 1e6}), ("half-log-snr", {})))
    torch.testing.assert_close(ours, even, rtol=1e-4, atol=0)


def test_quadratic():
    assert time_grid("quadratic", Flow(), 4).tolist() == [1, 9 / 16, 1 / 4, 1 / 16, 0]


@pytest.mark.parametrize("steps", [2, 7, 10, 30, 50, 999, 1000])
@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
def test_discrete_visits_diffusers_timesteps(spacing, steps):
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDIMScheduler(timestep_spacing=spacing)
    scheduler.set_timesteps(steps)
    times = time_grid("discrete", SCHEDULES["discrete"], steps, spacing=spacing)
    assert (times[:-1] * 1000 - 1).round().tolist() == scheduler.timesteps.tolist()


def test_discrete_knows_the_length_of_a_table():
    short = Discrete(betas=[0.1, 0.2, 0.3, 0.4])
    assert time_grid("discrete", short, 4).tolist() == [1, 3 / 4, 1 / 2, 1 / 4, 0]
    assert time_grid("discrete", short, 2, total=8).tolist() == [1, 1 / 2, 0]
    assert time_grid("discrete", Flow(), 1, spacing="linspace").tolist() == [1, 0]
    with pytest.raises(UsageError, match="has 4 times to choose from"):
        time_grid("discrete", short, 5)


def test_a_list_of_times_is_a_grid():
    assert time_grid("times", Flow(), 2, times=(1.0, 0.3, 0.0)).tolist() == [1, 0.3, 0]


def test_samplers_take_a_grid_of_ones_own():
    oracle = Gaussian(torch.tensor(0.5).double(), torch.tensor(0.3).double(), Flow())
    ends = []
    grid = functools.partial(karras, rho=2.0)
    DDIM().sample(oracle, torch.ones(1).double(), steps=5, grid=grid, on_step=ends.append)
    assert [end.t.t for end in ends] == time_grid("karras", Flow(), 5, rho=2.0).tolist()[:-1]


def test_a_grid_of_ones_own_must_fall():
    oracle = Gaussian(torch.tensor(0.5).double(), torch.tensor(0.3).double(), Flow())
    with pytest.raises(UsageError, match="smaller than the one before"):
        DDIM().sample(oracle, torch.ones(1).double(), steps=2, grid=lambda schedule, steps: torch.zeros(steps + 1))


@pytest.mark.parametrize(
    ("name", "steps", "options", "message"),
    [
        ("half-log-snrr", 3, {}, "did you mean 'half-log-snr'"),
        ("t", 0, {}, "at least one step"),
        ("karras", 3, {"rh": 5.0}, "time grid 'karras': .*did you mean 'rho'"),
        ("karras", 3, {"rho": 0.0}, "rho > 0"),
        ("half-log-snr", 3, {"ends": (2.0, 2.0)}, "ends from noise to data"),
        ("times", 3, {}, "needs the option 'times'"),
        ("times", 3, {"times": (1.0, 0.5, 0.0)}, "has 3 times, which is not one more than the 3 steps"),
        ("times", 2, {"times": (1.0, 1.0, 0.0)}, "each smaller than the one before"),
        ("times", 2, {"times": (1.0, 0.5, 0.1)}, "from 1 to 0"),
        ("times", 2, {"times": (1.0, math.nan, 0.0)}, "each smaller than the one before"),
    ],
)
def test_senseless_grids_are_refused(name, steps, options, message):
    with pytest.raises(UsageError, match=message):
        time_grid(name, Flow(), steps, **options)

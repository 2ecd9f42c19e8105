import pytest
import torch

from polydiff.core.schedule import EDM, Cosine, Flow, Linear
from polydiff.errors import UsageError
from polydiff.plugins.factory import sampler
from polydiff.sampling.grid import time_grid
from polydiff.tuning.spacing import Spacing
from polydiff.tuning.tune import tune


@pytest.mark.parametrize("schedule", [Cosine(), Flow(), EDM(), Linear()], ids=["cosine", "flow", "edm", "linear"])
@pytest.mark.parametrize("grid", ["t", "half-log-snr", "karras", "quadratic"])
@pytest.mark.parametrize("steps", [2, 9])
def test_every_grid_is_a_spacing(schedule, grid, steps):
    times = time_grid(grid, schedule, steps)
    spacing = Spacing(schedule, times)
    assert spacing.start.shape == (steps - 1,)
    torch.testing.assert_close(spacing.times(spacing.start), times, rtol=0, atol=1e-9)


def test_times_beyond_the_end_are_no_grid():
    spacing = Spacing(EDM(), time_grid("t", EDM(), 4))
    assert spacing.times(spacing.start + 3) is None


@pytest.mark.parametrize(("name", "schedule"), [("ddim", Linear()), ("unipc", Cosine()), ("dpm++3m", EDM())])
def test_a_tuned_grid_is_nearer_on_noise_that_it_has_not_seen(known, name, schedule):
    rounds = []
    held_out = known(1, schedule)
    tuned = tune(known(0, schedule), held_out, sampler(name), 6, lambda done, error: rounds.append(error))
    assert tuned.wins
    assert tuned.error < 0.9 * tuned.untuned.error
    assert rounds == sorted(rounds, reverse=True)
    assert rounds[0] == pytest.approx(tuned.start.error)
    x = sampler(name).sample(held_out.denoiser, held_out.x_1, times=tuned.times)
    assert tuned.error == pytest.approx(held_out.error(x))
    for grid in ("t", "half-log-snr", "karras", "quadratic"):
        x = sampler(name).sample(held_out.denoiser, held_out.x_1, steps=6, grid=grid)
        assert tuned.untuned.error <= held_out.error(x) + 1e-12


def test_a_grid_that_fits_its_own_noise_alone_does_not_win(known):
    tuned = tune(known(2, samples=2), known(10), sampler("unipc"), 6)
    assert tuned.found < 1e-3 * tuned.start.error
    assert tuned.error > tuned.untuned.error
    assert not tuned.wins


def test_one_step_has_nothing_to_tune(known):
    with pytest.raises(UsageError, match="nothing to tune"):
        tune(known(), known(), sampler("ddim"), 1)

"""Distributions of training times."""

import math

import pytest
import torch

from polydiff.core.schedule import EDM, Cosine, Flow
from polydiff.errors import UsageError
from polydiff.training.times import LogitNormal, LogSNRNormal, Uniform

U = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
ONE_SIGMA = 0.8413447460685429


@pytest.mark.parametrize("times", [Uniform(), LogitNormal(mean=0.5, std=2.0), LogSNRNormal()])
@pytest.mark.parametrize("schedule", [Cosine(), EDM(), Flow()])
def test_times_increase_with_u_within_the_schedule(times, schedule):
    t = times(U, schedule)
    assert t.dtype == torch.float64
    assert (t.diff() > 0).all()
    assert 0 <= t[0] < t[-1] <= 1


def test_uniform_times_are_u():
    assert torch.equal(Uniform()(U, Cosine()), U)


def test_logit_normal_has_its_quantiles():
    t = LogitNormal(mean=0.5, std=2.0)(torch.tensor([0.5, ONE_SIGMA], dtype=torch.float64), Flow())
    torch.testing.assert_close(torch.logit(t), torch.tensor([0.5, 2.5], dtype=torch.float64))


def test_log_snr_normal_is_log_normal_in_sigma_over_alpha():
    """EDM draws log sigma ~ N(-1.2, 1.2^2); all of it lies within the flow schedule, which is unbounded."""
    t = LogSNRNormal(mean=2.4, std=2.4)(torch.tensor([0.5, ONE_SIGMA], dtype=torch.float64), Flow())
    log_sigma = torch.log(t / (1 - t))
    torch.testing.assert_close(log_sigma, torch.tensor([-1.2, 0.0], dtype=torch.float64), atol=1e-12, rtol=0)


def test_log_snr_normal_is_cut_to_what_the_schedule_reaches():
    schedule = EDM(sigma_min=0.1, sigma_max=1.0)
    t = LogSNRNormal(mean=0.0, std=2.0)(U, schedule)
    below = torch.special.ndtr(-schedule.log_snr(t) / 2.0)
    first, last = (0.5 * math.erfc(2 * -math.log(sigma) / 2.0 / math.sqrt(2)) for sigma in (0.1, 1.0))
    torch.testing.assert_close((below - first) / (last - first), U, atol=1e-9, rtol=0)


def test_log_snr_normal_outside_the_schedule_is_refused():
    with pytest.raises(UsageError, match="lies outside the schedule"):
        LogSNRNormal(mean=60.0, std=1.0)(U, EDM())


@pytest.mark.parametrize("kind", [LogitNormal, LogSNRNormal])
def test_standard_deviations_are_positive(kind):
    with pytest.raises(UsageError, match="std > 0"):
        kind(std=0.0)

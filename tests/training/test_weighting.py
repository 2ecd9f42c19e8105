"""Weightings, against the papers' formulas on each prediction."""

import math

import pytest
import torch

from polydiff.core import schedule
from polydiff.core.prediction import PREDICTIONS, prediction
from polydiff.errors import UsageError
from polydiff.training.weighting import EDM, Constant, MinSNR, Sigmoid, TruncatedSNR

LOG_SNR = torch.linspace(-8, 8, 33, dtype=torch.float64)
SNR = LOG_SNR.exp()


def check(weighting, name, on, expected, **options):
    weight = weighting.of_output(LOG_SNR, on, prediction(name, **options))
    torch.testing.assert_close(weight, expected, atol=0, rtol=1e-12)


def test_constant_is_one_on_any_output():
    for name in PREDICTIONS:
        check(Constant(), name, schedule.Cosine(), torch.ones_like(SNR))


def test_min_snr_is_as_published():
    """Hang et al. 2023: min(SNR, g) on x0, min(g / SNR, 1) on eps and min(SNR, g) / (SNR + 1) on v."""
    check(MinSNR(gamma=5.0), "x0", schedule.Cosine(), SNR.clamp(max=5))
    check(MinSNR(gamma=5.0), "eps", schedule.Cosine(), (5 / SNR).clamp(max=1))
    check(MinSNR(gamma=5.0), "v", schedule.Cosine(), SNR.clamp(max=5) / (SNR + 1))


def test_edm_weight_cancels_its_preconditioning():
    """Karras et al. 2022: lambda(sigma) c_out(sigma)^2 = 1, lambda = (sigma^2 + d^2) / (sigma d)^2."""
    check(EDM(data_std=0.5), "edm", schedule.EDM(), torch.ones_like(SNR), data_std=0.5)
    sigma = (-LOG_SNR / 2).exp()
    check(EDM(data_std=0.5), "x0", schedule.EDM(), (sigma**2 + 0.25) / (sigma * 0.5) ** 2)


def test_sigmoid_is_its_name_on_eps():
    check(Sigmoid(bias=-1.0), "eps", schedule.Cosine(), torch.sigmoid(-1.0 - LOG_SNR))


def test_truncated_snr_is_as_published_and_snr_plus_one_is_one_on_v():
    """Salimans & Ho 2022, section 4: max(SNR, 1) on x0; their SNR + 1 is EDM's weight for unit data."""
    check(TruncatedSNR(), "x0", schedule.Cosine(), SNR.clamp(min=1))
    check(TruncatedSNR(), "eps", schedule.Cosine(), (1 / SNR).clamp(min=1))
    check(EDM(data_std=1.0), "v", schedule.Cosine(), torch.ones_like(SNR))


def test_flow_output_error_is_scaled_to_x0():
    """On the straight path x0's error is sigma times the velocity's."""
    sigma = torch.sigmoid(-LOG_SNR / 2)
    check(MinSNR(gamma=1e9), "flow", schedule.Flow(), SNR * sigma**2)


@pytest.mark.parametrize("name", PREDICTIONS)
@pytest.mark.parametrize("weighting", [Constant(), MinSNR(), EDM(), Sigmoid(), TruncatedSNR()])
def test_weights_are_finite_and_continuous_at_the_ends(weighting, name):
    ends = torch.tensor([-math.inf, -1e9, 1e9, math.inf], dtype=torch.float64)
    weight = weighting.of_output(ends, schedule.Cosine(), prediction(name))
    assert weight.isfinite().all()
    assert (weight >= 0).all()
    assert weight.float().isfinite().all()


def test_limit_of_min_snr_on_eps_is_one_without_signal():
    weight = MinSNR().of_output(torch.tensor(-math.inf), schedule.Cosine(), prediction("eps"))
    torch.testing.assert_close(weight, torch.tensor(1.0, dtype=torch.float64))


def test_senseless_options_are_refused():
    with pytest.raises(UsageError, match="gamma > 0"):
        MinSNR(gamma=0.0)
    with pytest.raises(UsageError, match="data_std > 0"):
        EDM(data_std=-1.0)

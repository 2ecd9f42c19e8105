"""Predictions against each other and at the ends of schedules."""

import pytest
import torch

from polydiff.core.prediction import PREDICTIONS, prediction
from polydiff.errors import UsageError

LEVELS = {
    "vp": (0.8, 0.6),
    "ve": (1.0, 25.0),
    "flow": (0.3, 0.7),
    "pure noise": (0.0, 1.0),
    "pure data": (1.0, 0.0),
    "almost data": (1.0, 1e-5),
}


def _cases(defined):
    return [
        pytest.param(name, level, id=f"{name}-{at}")
        for name in PREDICTIONS
        for at, level in LEVELS.items()
        if defined(name, *level)
    ]


# The noise says nothing of the data where there is none; x_t = x_0 says nothing of the noise.
data_is_told = pytest.mark.parametrize(("name", "level"), _cases(lambda name, alpha, _: name != "eps" or alpha > 0))
noise_is_told = pytest.mark.parametrize(("name", "level"), _cases(lambda name, _, sigma: name == "x0" or sigma > 0))
everywhere = pytest.mark.parametrize(("name", "level"), _cases(lambda *_: True))


def _state(level):
    generator = torch.Generator().manual_seed(0)
    x0, eps = torch.randn(2, 4, 3, dtype=torch.float64, generator=generator)
    alpha, sigma = torch.tensor(level, dtype=torch.float64)
    return x0, eps, alpha, sigma, alpha * x0 + sigma * eps


@data_is_told
def test_target_tells_x0(name, level):
    x0, eps, alpha, sigma, x_t = _state(level)
    p = prediction(name)
    assert (p.to_x0(p.target(x0, eps, alpha, sigma), x_t, alpha, sigma) - x0).abs().max() < 1e-9


@noise_is_told
def test_from_x0_inverts_to_x0(name, level):
    x0, eps, alpha, sigma, x_t = _state(level)
    p = prediction(name)
    output = p.from_x0(x0, x_t, alpha, sigma)
    assert (output - p.target(x0, eps, alpha, sigma)).abs().max() < 1e-9
    if not (name == "eps" and alpha == 0):
        assert (p.to_x0(output, x_t, alpha, sigma) - x0).abs().max() < 1e-9


@data_is_told
def test_x0_error_scale_is_the_slope_of_to_x0(name, level):
    x0, _, alpha, sigma, x_t = _state(level)
    p = prediction(name)
    slope = p.to_x0(x0 + 1, x_t, alpha, sigma) - p.to_x0(x0, x_t, alpha, sigma)
    torch.testing.assert_close(slope.abs(), p.x0_error_scale(alpha, sigma).expand_as(slope), rtol=1e-7, atol=1e-12)


@everywhere
def test_network_input_has_unit_variance(name, level):
    alpha, sigma = torch.tensor(level, dtype=torch.float64)
    std = 0.5 if name == "edm" else 1.0
    scale = prediction(name).input_scale(alpha, sigma)
    assert scale.item() ** 2 * ((alpha.item() * std) ** 2 + sigma.item() ** 2) == pytest.approx(1)


def test_edm_is_table_1_of_karras_et_al():
    sigma, d = torch.tensor(2.0), 0.5
    p = prediction("edm", data_std=d)
    zero, one = torch.zeros(()), torch.ones(())
    assert p.to_x0(zero, one, one, sigma).item() == pytest.approx(d**2 / (sigma.item() ** 2 + d**2))
    assert p.to_x0(one, zero, one, sigma).item() == pytest.approx(sigma.item() * d / (sigma.item() ** 2 + d**2) ** 0.5)
    assert p.input_scale(one, sigma).item() == pytest.approx(1 / (sigma.item() ** 2 + d**2) ** 0.5)


def test_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'flow'"):
        prediction("flo")
    with pytest.raises(UsageError, match="data_std"):
        prediction("edm", data_std=0.0)

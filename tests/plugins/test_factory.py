"""Schedules, samplers and guidances by name."""

from __future__ import annotations

import pytest
import torch

import polydiff
from polydiff.errors import PluginError, UsageError


def test_schedule_takes_its_options() -> None:
    alpha, sigma = polydiff.schedule("cosine", s=0.0)(torch.tensor(0.5, dtype=torch.float64))
    assert alpha == pytest.approx(0.5**0.5, abs=1e-12)
    assert sigma == pytest.approx(0.5**0.5, abs=1e-12)


def test_guidance_wraps_the_denoiser() -> None:
    oracle = polydiff.oracle.Gaussian(0.0, 1.0, polydiff.schedule("flow"))
    guided = polydiff.guidance("cfg", oracle, scale=3.0)
    assert isinstance(guided, polydiff.Denoiser)
    assert guided.schedule is oracle.schedule


def test_sampler_of_a_registered_name() -> None:
    assert type(polydiff.sampler("dpm++2m")).__name__ == "DPMpp2M"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: polydiff.schedule("cosin"), "unknown schedule 'cosin'; did you mean 'cosine'?"),
        (
            lambda: polydiff.schedule("linear", beta_mix=1.0),
            "schedule 'linear': unknown option 'beta_mix'; did you mean 'beta_min'?",
        ),
        (lambda: polydiff.guidance("cfg", None), "guidance 'cfg' needs the option 'scale'"),
        (lambda: polydiff.guidance("cfg", None, denoiser=None), "denoiser"),
    ],
)
def test_wrong_names_and_options_name_the_right_ones(call, message: str) -> None:
    with pytest.raises((UsageError, TypeError)) as caught:
        call()
    assert message in str(caught.value)
    assert not isinstance(caught.value, PluginError)

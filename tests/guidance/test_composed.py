"""Scales of several conditions, on data of which each condition tells a part."""

from dataclasses import replace

import pytest
import torch

import polydiff
from polydiff.core.condition import Condition
from polydiff.errors import UsageError
from polydiff.guidance.cfg import ClassifierFree
from polydiff.guidance.composed import Composed

OTHER = (2, 0, 0, 1)


@pytest.fixture
def both(cond):
    """Two conditions of each sample that the oracle takes for one: of two components."""
    other = Condition(vector=torch.eye(3, dtype=torch.float64)[list(OTHER)])
    return replace(Condition(vector=torch.maximum(cond.vector, other.vector)), alone={"label": cond, "other": other})


@pytest.mark.parametrize("scale", [0.0, 0.5, 3.0])
def test_of_one_condition_it_is_cfg(oracle, states, cond, scale):
    for t, x_t in states:
        expected = ClassifierFree(oracle, scale=scale)(x_t, t, cond)
        alone = replace(cond, alone={"label": cond})
        for guided in (Composed(oracle, scale=scale), Composed(oracle, scales={"label": scale})):
            torch.testing.assert_close(guided(x_t, t, alone), expected, rtol=1e-12, atol=1e-12)


def test_each_has_its_scale_in_one_call(oracle, states, both):
    t, x_t = states[1]
    u, c, d = oracle(x_t, t), oracle(x_t, t, both.alone["label"]), oracle(x_t, t, both.alone["other"])
    oracle.calls = oracle.rows = 0
    guided = Composed(oracle, scales={"label": 4.0}, scale=1.5)(x_t, t, both)
    assert (oracle.calls, oracle.rows) == (1, 12)
    torch.testing.assert_close(guided, u + 4.0 * (c - u) + 1.5 * (d - u), rtol=1e-12, atol=1e-12)


def test_outside_the_interval_all_are_asked_for_together(oracle, states, both):
    guided = Composed(oracle, scale=2.0, interval=(0.2, 0.7))
    x_t, t = states[1][1], torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64)
    expected = Composed(oracle, scale=2.0)(x_t, t, both)
    expected[[0, 3]] = oracle(x_t, t, both)[[0, 3]]
    torch.testing.assert_close(guided(x_t, t, both), expected, rtol=1e-12, atol=1e-12)


def test_what_is_avoided_stands_for_the_unconditional(oracle, states, both):
    avoided = Condition(vector=torch.eye(3, dtype=torch.float64)[[1, 1, 1, 0]])
    cond = both.alone["label"]
    for t, x_t in states:
        c, n = oracle(x_t, t, cond), oracle(x_t, t, avoided)
        asked = replace(cond, avoided=avoided)
        for guided in (ClassifierFree(oracle, scale=3.0), Composed(oracle, scale=3.0)):
            torch.testing.assert_close(guided(x_t, t, asked), n + 3 * (c - n), rtol=1e-12, atol=1e-12)


def test_it_goes_with_other_guidances_and_a_sampler(oracle, noise, both):
    inside = polydiff.guidance("autoguidance", oracle, weaker=oracle, scale=2.0)
    guided = Composed(ClassifierFree(inside, scale=1.5), scales={"label": 2.0})
    x = polydiff.sampler("dpm++2m").sample(guided, noise, steps=4, cond=replace(both, avoided=both.alone["other"]))
    assert x.isfinite().all()


def test_scales_are_finite(oracle):
    with pytest.raises(UsageError, match="needs finite scales"):
        Composed(oracle, scales={"label": float("inf")})

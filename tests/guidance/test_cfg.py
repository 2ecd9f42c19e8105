"""Classifier-free guidance on an oracle that knows its conditions."""

import pytest
import torch

from polydiff.core.condition import Condition
from polydiff.core.oracle import Mixture
from polydiff.core.schedule import Cosine
from polydiff.errors import UsageError
from polydiff.guidance.cfg import ClassifierFree


class Counting(Mixture):
    calls = 0

    def forward(self, x_t, t, cond=None):
        self.calls += 1
        return super().forward(x_t, t, cond)


@pytest.fixture
def oracle():
    means = torch.tensor([[-1.0, 0.5], [1.0, 0.0], [0.3, 2.0]], dtype=torch.float64)
    return Counting(means, torch.tensor([0.3, 0.4, 0.5]).double(), torch.ones(3).double(), Cosine())


@pytest.fixture
def state():
    x_t = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cond = Condition(vector=torch.eye(3, dtype=torch.float64)[[0, 1, 2, 0]])
    return x_t, torch.tensor(0.5, dtype=torch.float64), cond


def test_scale_one_is_bitwise_the_conditional_estimate(oracle, state):
    x_t, t, cond = state
    assert torch.equal(ClassifierFree(oracle, scale=1.0)(x_t, t, cond), oracle(x_t, t, cond))


@pytest.mark.parametrize("scale", [0.0, 0.5, 2.0, 7.5])
def test_estimate_is_extrapolated_in_one_call(oracle, state, scale):
    x_t, t, cond = state
    u, c = oracle(x_t, t), oracle(x_t, t, cond)
    oracle.calls = 0
    guided = ClassifierFree(oracle, scale=scale)(x_t, t, cond)
    assert oracle.calls == 1
    torch.testing.assert_close(guided, u + scale * (c - u))


def test_unconditional_is_not_guided(oracle, state):
    x_t, t, _ = state
    assert torch.equal(ClassifierFree(oracle, scale=3.0)(x_t, t), oracle(x_t, t))


def test_only_the_interval_is_guided_sample_by_sample(oracle, state):
    x_t, _, cond = state
    t = torch.tensor([0.1, 0.3, 0.6, 0.9], dtype=torch.float64)
    guided = ClassifierFree(oracle, scale=3.0, interval=(0.2, 0.7))(x_t, t, cond)
    everywhere, plain = ClassifierFree(oracle, scale=3.0)(x_t, t, cond), oracle(x_t, t, cond)
    torch.testing.assert_close(guided, torch.stack([plain[0], everywhere[1], everywhere[2], plain[3]]))
    oracle.calls = 0
    ClassifierFree(oracle, scale=3.0, interval=(0.95, 1.0))(x_t, t, cond)
    assert oracle.calls == 1


def test_rescale_brings_back_the_conditional_std(oracle, state):
    x_t, t, cond = state
    c, raw = oracle(x_t, t, cond), ClassifierFree(oracle, scale=5.0)(x_t, t, cond)
    full = ClassifierFree(oracle, scale=5.0, rescale=1.0)(x_t, t, cond)
    torch.testing.assert_close(full.std(1), c.std(1))
    half = ClassifierFree(oracle, scale=5.0, rescale=0.5)(x_t, t, cond)
    torch.testing.assert_close(half, (raw + full) / 2)


def test_senseless_options_are_refused(oracle):
    with pytest.raises(UsageError, match="interval"):
        ClassifierFree(oracle, scale=2.0, interval=(0.7, 0.2))
    with pytest.raises(UsageError, match="rescale"):
        ClassifierFree(oracle, scale=2.0, rescale=1.5)

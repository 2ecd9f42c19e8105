import math

import pytest
import torch

from polydiff.errors import UsageError
from polydiff.metrics import blocks
from polydiff.metrics.mmd import kernel_mmd2


def test_mmd2_by_hand():
    x = torch.tensor([[0.0], [1.0]])
    y = torch.tensor([[0.0], [2.0]])
    k = lambda d: math.exp(-0.5 * d * d)  # noqa: E731
    expected = k(1) + k(2) - 2 * (k(0) + k(2) + k(1) + k(1)) / 4
    assert kernel_mmd2(x, y, scale=0.5) == pytest.approx(expected, abs=1e-14)


def test_mmd2_is_the_same_in_blocks(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(23, 3, generator=generator), torch.randn(17, 3, generator=generator) + 0.3
    whole = kernel_mmd2(x, y, scale=0.4)
    monkeypatch.setattr(blocks, "PAIRS", 40)
    assert kernel_mmd2(x, y, scale=0.4) == pytest.approx(whole, rel=1e-12)


def test_mmd2_is_unbiased_and_sees_a_shift():
    """N(0, 1) against N(m, 1) in one dimension: 2 (1 + 4 s)^(-1/2) (1 - exp(-s m^2 / (1 + 4 s)))."""
    generator = torch.Generator().manual_seed(1)
    scale, shift = 0.7, 0.8
    draws = [
        kernel_mmd2(torch.randn(50, 1, generator=generator), torch.randn(60, 1, generator=generator) + m, scale=scale)
        for m in (0.0, shift)
        for _ in range(200)
    ]
    same, shifted = torch.tensor(draws, dtype=torch.float64).view(2, 200)
    exact = 2 / math.sqrt(1 + 4 * scale) * (1 - math.exp(-scale * shift**2 / (1 + 4 * scale)))
    for estimates, truth in ((same, 0.0), (shifted, exact)):
        assert abs(estimates.mean() - truth) < 4 * estimates.std() / math.sqrt(200)
    assert (same < 0).any()


@pytest.mark.parametrize(("x", "y"), [((1, 2), (5, 2)), ((5, 2), (1, 2)), ((5, 2), (5, 3))])
def test_mmd2_refuses_what_has_no_estimate(x, y):
    with pytest.raises(UsageError):
        kernel_mmd2(torch.zeros(x), torch.zeros(y), scale=1.0)

"""Noise levels that count alike."""

import pytest
import torch

from polydiff.training.balance import BANDS, Balance


def uniform(n, seed=0):
    return torch.rand(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_weighted_losses_come_together_and_are_as_large_as_before(exponent):
    balance, level = Balance(exponent), torch.logspace(-3, 0, BANDS, dtype=torch.float64)
    for seed in range(400):
        u = uniform(16, seed)
        balance.add(balance.note(u, level[(u * BANDS).long()]))
    u = uniform(100_000, 1000)
    losses = level[(u * BANDS).long()]
    weighted = losses * balance.weights(u)
    expected = level ** (1 - exponent)
    torch.testing.assert_close(weighted, (expected * level.mean() / expected.mean())[(u * BANDS).long()])


def test_the_means_are_those_of_about_the_last_hundred_samples_of_a_band():
    balance, u = Balance(1.0), torch.tensor([0.01, 0.99], dtype=torch.float64)
    for value in [1.0] * 3000 + [3.0] * 100:
        balance.add(balance.note(u, torch.tensor([value, 2.0])))
    low, high = balance.losses[0] / balance.samples[0], balance.losses[-1] / balance.samples[-1]
    assert low == pytest.approx(3 - 2 * 0.99**100, rel=1e-6)
    assert high == pytest.approx(2.0)


def test_levels_without_a_loss_so_far_keep_theirs():
    balance, u = Balance(1.0), torch.tensor([0.01, 0.51, 0.99], dtype=torch.float64)
    assert torch.equal(balance.weights(u), torch.ones(3, dtype=torch.float64))
    balance.add(balance.note(u, torch.tensor([1.0, 0.0, 4.0])))
    torch.testing.assert_close(balance.weights(u), torch.tensor([2.5, 1.0, 0.625], dtype=torch.float64))


def test_parts_add_up_in_any_order():
    u, losses = uniform(8), uniform(8, 1)
    whole, parts = Balance(1.0), Balance(1.0)
    whole.add(whole.note(u, losses))
    parts.add(parts.note(u[4:], losses[4:]) + parts.note(u[:4], losses[:4]))
    assert whole.losses == pytest.approx(parts.losses)
    assert whole.samples == parts.samples

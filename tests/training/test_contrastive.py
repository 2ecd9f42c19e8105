"""The contrastive loss, against its formula written out."""

import math

import numpy as np
import pytest
import torch

from polydiff.conditioning.key import UNKNOWN, key_of
from polydiff.training.contrastive import info_nce


def written_out(z, c, keys):
    """Sum the terms of the formula one by one."""
    losses = []
    for i in range(len(keys)):
        if keys[i] == UNKNOWN:
            losses.append(0.0)
            continue
        among = [j for j in range(len(keys)) if j == i or keys[j] not in {keys[i], UNKNOWN}]
        own = math.exp(float(z[i] @ c[i]))
        captions = sum(math.exp(float(z[i] @ c[j])) for j in among)
        contents = sum(math.exp(float(z[j] @ c[i])) for j in among)
        losses.append(-math.log(own / captions) / 2 - math.log(own / contents) / 2)
    return torch.tensor(losses, dtype=torch.float64)


def vectors(n, seed=0):
    return torch.randn(2, n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def loss(z, c, keys):
    return info_nce(z, c, keys, z, c, keys)


@pytest.mark.parametrize("keys", [[1, 2, 3, 4], [1, 2, 1, 3], [1, UNKNOWN, 2, UNKNOWN], [7, 7, 7, 7], [UNKNOWN] * 4])
def test_it_is_the_formula(keys):
    z, c = vectors(4)
    torch.testing.assert_close(loss(z, c, torch.tensor(keys)), written_out(z, c, keys), atol=1e-12, rtol=0)


def test_a_share_of_the_batch_has_the_losses_that_it_has_in_the_whole():
    z, c = vectors(6)
    keys = torch.tensor([1, 2, 1, 3, UNKNOWN, 4])
    share = info_nce(z[:2], c[:2], keys[:2], z, c, keys)
    torch.testing.assert_close(share, loss(z, c, keys)[:2])


def test_contents_are_not_pushed_away_from_captions_like_their_own():
    z, c = vectors(4, seed=1)
    c[2] = c[0]
    z.requires_grad_()
    keys = torch.tensor([1, 2, 1, 3])
    (gradient,) = torch.autograd.grad(loss(z, c, keys)[0], z)
    assert torch.equal(gradient[2], torch.zeros(5, dtype=torch.float64))
    (pushed,) = torch.autograd.grad(loss(z, c, torch.tensor([1, 2, 9, 3]))[0], z)
    assert pushed[2].abs().max() > 1e-3


def test_what_is_unknown_has_no_gradient():
    z, c = vectors(3)
    z.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(z, c, torch.tensor([1, UNKNOWN, 2])).sum(), z)
    assert gradient.isfinite().all()
    assert gradient[1].abs().max() == 0
    assert gradient[0].abs().max() > 0


def test_keys_tell_raw_values_apart():
    x = np.arange(6, dtype=np.float32)
    values = [0, 1, "1", "a", [("a", 1.0)], [("a", 1.5)], [["a"], "b"], ["a", ["b"]], x, x.reshape(2, 3), x + 1, 0.5]
    keys = [key_of(value) for value in values]
    assert len(set(keys)) == len(values)
    assert all(0 < key < 2**48 for key in keys)
    assert key_of(x.copy()) == key_of(x)
    assert key_of([("a", 1.0)]) == key_of((["a", 1.0],)), "lists and tuples are alike once they were read from JSON"
    assert key_of(None) == UNKNOWN

"""Conditions: what dropping, joining and merging do to each part."""

import torch

from polydiff.core.condition import Condition, add, concatenate


def _full(batch=3):
    return Condition(
        vector=torch.ones(batch, 4),
        tokens=torch.ones(batch, 5, 2),
        mask=torch.tensor([[True, True, True, False, False]]).expand(batch, 5),
        channels=torch.ones(batch, 1, 8, 8),
    )


def test_dropped_samples_have_zeros_and_no_tokens():
    kept = _full().keep(torch.tensor([True, False, True]))
    assert kept.vector.sum(1).tolist() == [4, 0, 4]
    assert kept.mask.sum(1).tolist() == [3, 0, 3]
    assert kept.channels.flatten(1).sum(1).tolist() == [64, 0, 64]
    without_mask = Condition(tokens=torch.ones(2, 3, 4)).keep(torch.tensor([False, True]))
    assert without_mask.mask.tolist() == [[False] * 3, [True] * 3]


def test_null_drops_every_sample():
    null = _full().null()
    assert not null.vector.any()
    assert not null.mask.any()
    assert not null.channels.any()


def test_concatenation_and_selection_are_inverse():
    a, b = _full(2), _full(3).null()
    joined = concatenate([a, b])
    for part, whole in zip((a, b), (joined[:2], joined[2:]), strict=True):
        for name in ("vector", "tokens", "mask", "channels"):
            assert torch.equal(getattr(part, name), getattr(whole, name))


def test_merging_adds_vectors_and_sets_the_rest_side_by_side():
    merged = add([_full(), _full(), Condition(tokens=torch.zeros(3, 2, 2))])
    assert (merged.vector == 2).all()
    assert merged.tokens.shape == (3, 12, 2)
    assert merged.mask[0].tolist() == [True, True, True, False, False] * 2 + [True, True]
    assert merged.channels.shape == (3, 2, 8, 8)
    assert add([]) is None
    assert add([Condition(vector=torch.ones(1, 2))]).tokens is None


def test_a_mask_of_one_batch_holds_when_it_is_joined_to_one_without():
    tokens = Condition(tokens=torch.ones(2, 3, 4))
    joined = concatenate([tokens, tokens.null()])
    assert joined.mask.tolist() == [[True] * 3] * 2 + [[False] * 3] * 2

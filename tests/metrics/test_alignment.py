"""How well contents fit their captions."""

import pytest
import torch
from torch.nn.functional import normalize

from polydiff.metrics.alignment import alignment


def test_of_pairs_at_known_angles():
    captions = torch.eye(3, dtype=torch.float64)
    contents = normalize(torch.tensor([[3.0, 4, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64), dim=1)
    found = alignment(contents, captions, torch.tensor([5, 6, 7]))
    assert found.cosine == pytest.approx((0.6 + 1 + 1) / 3)
    assert found.other == pytest.approx((0.8 / 2) / 3)
    assert found.retrieval == pytest.approx(2 / 3)
    assert found.candidates == 3


def test_captions_that_are_alike_are_one_candidate():
    captions = torch.eye(3, dtype=torch.float64)[[0, 1, 0, 2]]
    found = alignment(captions.clone(), captions, torch.tensor([5, 6, 5, 7]))
    assert (found.retrieval, found.candidates, found.other) == (1.0, 3, 0.0)


def test_a_tie_is_no_find():
    same = normalize(torch.ones(4, 3, dtype=torch.float64), dim=1)
    assert alignment(same, same, torch.arange(4)).retrieval == 0


def test_one_caption_tells_nothing_of_retrieval():
    same = torch.eye(2, dtype=torch.float64)[[0, 0]]
    found = alignment(same, same, torch.tensor([3, 3]))
    assert (found.cosine, found.other, found.retrieval, found.candidates) == (1.0, None, None, 1)

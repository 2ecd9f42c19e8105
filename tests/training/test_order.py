"""Dealing the global batch."""

import pytest

from polydiff.errors import RecipeError
from polydiff.recipe.schema import TrainConfig
from polydiff.training.order import Order, check_shares, listed


@pytest.mark.parametrize(("parts", "processes"), [(1, 1), (3, 1), (1, 4), (2, 2)])
def test_every_position_is_read_once_in_its_step(parts, processes):
    hands = [list(Order(12, parts, process, processes).from_step(5, 7)) for process in range(processes)]
    for step in (0, 1):
        read = [p for hand in hands for part in hand[step * parts : (step + 1) * parts] for p in part]
        assert sorted(read) == list(range((5 + step) * 12, (6 + step) * 12))


def test_parts_are_of_one_size_and_span_the_batch():
    parts = list(Order(12, 2, 1, 2).from_step(0, 1))
    assert [list(part) for part in parts] == [[1, 5, 9], [3, 7, 11]]
    assert Order(12, 2, 1, 2).share == 3


def test_batch_that_cannot_be_dealt_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match=r"train\.batch: 127 .* 2 devices times 2 .* the nearest is 128"):
        check_shares(TrainConfig(steps=1, batch=127, accumulate=2), 2)
    with pytest.raises(RecipeError, match="the nearest is 4"):
        check_shares(TrainConfig(steps=1, batch=1, accumulate=2), 2)


def test_long_lists_of_names_are_cut():
    assert listed(["a", "b", "a"]) == "a, b"
    assert listed([str(i) for i in range(9)]) == "0, 1, 2, 3, 4, 4 more"

"""Positions of a run and the permutation of each epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydiff.data.order import locate, permutation


@given(st.integers(1, 200), st.integers(-(2**63), 2**64), st.integers(0, 10**9))
def test_an_epoch_visits_every_index_once(length, seed, epoch):
    assert sorted(permutation(length, seed, epoch)) == list(range(length))


def test_the_order_is_a_fixed_function_of_seed_and_epoch():
    assert permutation(8, 0, 0).tolist() == [0, 2, 1, 5, 4, 3, 6, 7]
    assert permutation(8, 0, 1).tolist() == [5, 3, 7, 2, 4, 1, 0, 6]
    assert permutation(8, 1, 0).tolist() == [3, 5, 2, 7, 0, 6, 1, 4]


def test_indices_fall_on_each_place_equally_often():
    counts = np.zeros((5, 5))
    for epoch in range(2000):
        counts[np.arange(5), permutation(5, 3, epoch)] += 1
    chi_squared = ((counts - 400) ** 2 / 400).sum()
    assert chi_squared < 40  # 16 degrees of freedom: p = 8e-4


def test_the_permutation_is_kept_and_cannot_be_changed():
    order = permutation(10, 5, 2)
    assert permutation(10, 5, 2) is order
    with pytest.raises(ValueError, match="read-only"):
        order[0] = 1


def test_a_position_is_an_epoch_and_a_place():
    assert [locate(position, 3) for position in (0, 2, 3, 7)] == [(0, 0), (0, 2), (1, 0), (2, 1)]

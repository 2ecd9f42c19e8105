"""Setting data aside for validation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydiff.data.split import split
from polydiff.errors import DataError


@given(st.integers(2, 300), st.floats(0, 0.5), st.integers(0, 99))
def test_the_parts_are_disjoint_sorted_and_complete(n, holdout, seed):
    train, held = split(n, holdout, seed)
    assert sorted([*train, *held]) == list(range(n))
    assert np.all(np.diff(train) > 0)
    assert np.all(np.diff(held) > 0)


@pytest.mark.parametrize(
    ("n", "holdout", "held"), [(1797, 0.1, 180), (10, 0.1, 1), (10, 0.3, 3), (5, 0.01, 1), (5, 0, 0)]
)
def test_so_many_are_held_out(n, holdout, held):
    assert len(split(n, holdout)[1]) == held


def test_the_split_is_the_same_each_time_and_another_for_another_seed():
    assert split(100, 0.2, 1)[1].tolist() == split(100, 0.2, 1)[1].tolist()
    assert split(100, 0.2, 1)[1].tolist() != split(100, 0.2, 2)[1].tolist()


def test_holding_out_everything_is_refused():
    with pytest.raises(DataError, match=r"1 items, 1 held out.*data\.holdout=0"):
        split(1, 0.1)

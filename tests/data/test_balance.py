"""Shares of labels in an epoch."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polydiff.data.balance import Shares, weighted
from polydiff.data.order import deal, permutation
from polydiff.errors import DataError

LABELS = ["cat"] * 90 + ["dog"] * 9 + ["emu"]


def by_label(labels, balance=None, weights=None):
    return weighted(labels, [0] * len(labels), balance=balance, weights=weights)


def shares_of(order, epochs=3):
    return [Counter(LABELS[i] for i in order(len(LABELS), 0, epoch)) for epoch in range(epochs)]


def test_balanced_classes_have_the_same_share_of_every_epoch():
    for counts in shares_of(by_label(LABELS, "class")):
        assert sum(counts.values()) == len(LABELS)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_weights_multiply_the_share_of_each_item_or_of_each_class():
    by_item = by_label(LABELS, None, {"dog": 9.0, "emu": 29.0})  # 90 : 81 : 29
    by_class = by_label(LABELS, "class", {"dog": 2.0})  # 1 : 2 : 1
    assert shares_of(by_item, 1) == [{"cat": 45, "dog": 41, "emu": 14}]
    assert shares_of(by_class, 1) == [{"cat": 25, "dog": 50, "emu": 25}]


def test_sources_have_shares_by_their_weights_and_keep_classes_even():
    labels, sources = ["cat"] * 60 + ["dog"] * 20 + ["cat"] * 20, [0] * 80 + [1] * 20

    def counts(**options):
        order = weighted(labels, sources, source_weights=(1.0, 3.0), **options)
        return Counter((labels[i], sources[i]) for i in order(100, 0, 0))

    assert counts() == {("cat", 0): 43, ("dog", 0): 14, ("cat", 1): 43}  # 60 : 20 : 60
    assert counts(balance="class") == {("cat", 0): 25, ("dog", 0): 50, ("cat", 1): 25}
    unlabelled = weighted([None] * 3, [0, 0, 1], source_weights=(1.0, 4.0))
    assert Counter(unlabelled(3, 0, 0).tolist())[2] == 2


def test_the_items_of_a_class_are_all_met_before_any_comes_again():
    order = by_label(LABELS, "class")
    met = [i for epoch in range(8) for i in order(len(LABELS), 5, epoch)]
    cats = [i for i in met if LABELS[i] == "cat"]
    dogs = [i for i in met if LABELS[i] == "dog"]
    assert sorted(cats[:90]) == list(range(90))
    assert sorted(cats[90:180]) == list(range(90))
    assert all(sorted(dogs[k : k + 9]) == list(range(90, 99)) for k in range(0, 200, 9))
    assert dogs[:9] != dogs[9:18]


def test_the_order_is_a_function_of_seed_and_epoch_alone():
    forwards, backwards = by_label(LABELS, "class"), by_label(LABELS, "class")
    there = [forwards(100, 1, epoch).tolist() for epoch in range(5)]
    back = [backwards(100, 1, epoch).tolist() for epoch in reversed(range(5))]
    assert there == back[::-1]
    assert there[0] != there[1]
    assert there[0] != forwards(100, 2, 0).tolist()


def test_without_shares_of_their_own_all_items_come_once():
    order = Shares(np.arange(7), np.ones(7))
    assert sorted(order(7, 0, 3)) == list(range(7))


@given(st.integers(1, 30), st.integers(0, 200), st.integers(0, 100))
def test_cards_are_the_same_wherever_one_begins_to_deal(length, first, count):
    assert deal(length, 3, 1, first, count).tolist() == deal(length, 3, 1, 0, first + count)[first:].tolist()


def test_cards_are_shuffled_apart_for_each_group_and_from_epochs():
    dealt = [tuple(deal(20, 0, group, 0, 20)) for group in range(3)]
    assert len({*dealt, *(tuple(permutation(20, 0, epoch)) for epoch in range(3))}) == 6


@pytest.mark.parametrize(
    ("labels", "weights", "message"),
    [
        (["cat", None], {"cat": 2.0}, r"1 of 2 items have no label"),
        (["cat", "dog"], {"dgo": 2.0}, r"data\.weights: unknown label 'dgo'; did you mean 'dog'"),
        (["cat", "dog"], {"dog": 0.001}, r"the share of the label 'dog' is less than one of 2 items"),
    ],
)
def test_what_cannot_be_is_refused(labels, weights, message):
    with pytest.raises(DataError, match=message):
        by_label(labels, None, weights)

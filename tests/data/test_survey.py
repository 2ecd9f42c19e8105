"""Reading every item once."""

import numpy as np
import pytest

from polydiff.data.description import Description
from polydiff.data.example import Example
from polydiff.data.report import record
from polydiff.data.survey import sample, survey
from polydiff.errors import DataError


class Rows:
    """Arrays with a label and a licence each; `None` cannot be read."""

    def __init__(self, *items, unreadable=()):
        self.items = items
        self.unreadable = unreadable
        self.classes = sorted({label for _, label, *_ in items if label is not None})

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        content, label, *licence = self.items[index]
        if content is None:
            raise DataError(f"{self.name(index)}: is broken")
        return Example(content, self.name(index), label, attributes={"License": licence[0]} if licence else {})

    def name(self, index):
        return f"row {index}"

    def label(self, index):
        return self.items[index][1]


def describe(content):
    if content.size and content[0] == 13:
        raise DataError("is unlucky")
    return Description({"length": len(content)}, content[:, None])


def row(length, first=0.0):
    return np.arange(first, first + length)


def test_everything_is_found_by_name():
    source = Rows(
        (row(10), "a", "CC0"),
        (row(11), "a", "CC0"),
        (row(10), "b", "MIT"),
        (None, "b"),
        (row(12, 13), "b"),
        (row(200), None),
        (np.ones(10), "a"),
        (np.full(10, np.nan), "a"),
        unreadable=("row x: was left out",),
    )
    done = []
    found = survey(source, describe, on_item=done.append)
    assert sum(done) == 8
    report = record(source, found)
    assert report == {
        "items": 8,
        "readable": 6,
        "unreadable": ["row x: was left out", "row 3: is broken", "row 4: is unlucky"],
        "duplicates": [{"names": ["row 0", "row 2"], "labels": ["a", "b"]}],
        "odd_sized": [{"name": "row 5", "size": "length", "value": 200, "median": pytest.approx(10)}],
        "flawed": [
            {"name": "row 6", "reason": "is one value throughout"},
            {"name": "row 7", "reason": "has a value that is not finite"},
        ],
        "unlabelled": ["row 5"],
        "classes": {"a": 4, "b": 1},
        "sizes": {"length": {"least": 10, "median": 10, "most": 200}},
        "licences": [{"licence": None, "items": 3}, {"licence": "CC0", "items": 2}, {"licence": "MIT", "items": 1}],
    }


def test_sizes_that_vary_are_not_odd_and_small_differences_are_no_finding():
    varied = Rows(*((row(length, length), None) for length in (40, 60, 80, 100, 120, 160)))
    nearly = Rows(*((row(length, 10 * i), None) for i, length in enumerate([100] * 20 + [110, 90])))
    assert survey(varied, describe).odd == []
    assert survey(nearly, describe).odd == []
    (odd,) = survey(Rows(*nearly.items, (row(70, 999), None)), describe).odd
    assert (odd.index, odd.value, odd.median) == (22, 70, pytest.approx(100))


def test_without_labels_or_licences_nothing_is_missing():
    found = survey(Rows((row(3), None), (row(3, 1), None)), describe)
    assert (found.unlabelled, found.classes, found.licences) == ([], {}, {})


def test_without_a_description_items_are_read_all_the_same():
    found = survey(Rows((row(3), "a"), (None, "a"), (row(3), "a")), None)
    assert (found.readable, found.unreadable, found.duplicates, found.sizes) == ([0, 2], ["row 1: is broken"], [], {})


def test_workers_find_the_same():
    source = Rows(*((row(10 + i % 3, i % 7), "ab"[i % 2]) for i in range(20)), (None, "a"))
    assert survey(source, describe, workers=2) == survey(source, describe)


def test_nothing_readable_is_refused():
    with pytest.raises(DataError, match="none of the 2 items can be read; the last: row 1: is broken"):
        survey(Rows((None, "a"), (None, "b")), describe)


def test_a_sample_is_the_same_each_time_and_sorted_by_label():
    source = Rows(*((row(5, i + 20), "ba"[i % 2]) for i in range(30)), (None, "a"))
    found = survey(source, describe)
    chosen = sample(source, found, 10)
    assert chosen == sample(source, found, 10)
    assert len(set(chosen)) == 10
    assert [source.label(i) for i in chosen] == sorted(source.label(i) for i in chosen)
    assert sorted(sample(source, found, 99)) == list(range(30))


def test_contents_of_other_sizes_or_types_are_no_duplicates():
    values = np.zeros((6, 2), np.float32)
    prints = {
        Description({"n": 6}, values).fingerprint,
        Description({"n": 3}, values).fingerprint,
        Description({"n": 6}, values.astype(np.float64)).fingerprint,
        Description({"n": 6}, values.reshape(4, 3)).fingerprint,
    }
    assert len(prints) == 4
    assert Description({"n": 6}, values[::-1]).fingerprint in prints

from dataclasses import dataclass

import pytest
import torch

from polydiff.conditioning.multi_label import MultiLabel
from polydiff.errors import DataError, UsageError


@pytest.fixture
def labels():
    torch.manual_seed(0)
    return MultiLabel(classes=["cat", "dog", "bird"], width=8)


def test_vectors_add_up(labels):
    values = [labels.parse(text) for text in ("cat", "dog", "dog+cat", "none")]
    cat, dog, both, none = labels(values).vector
    torch.testing.assert_close(cat + dog - none, both)
    torch.testing.assert_close(none, labels.known)


def test_not_to_know_is_something_else_than_none(labels):
    vectors = labels([None, [], [1]]).vector
    assert not vectors[0].any()
    assert vectors[1].any()
    assert not labels([None]).vector.any()


@pytest.mark.parametrize("fact", [["dog", "cat"], "cat+dog", "dog + cat", ("cat", "dog", "cat")])
def test_facts_are_lists_or_texts(labels, fact):
    assert labels.prepare(fact) == [0, 1]
    assert labels.describe([0, 1]) == "cat+dog"


def test_what_is_written_is_read_again(labels):
    for value in ([], [2], [0, 1, 2]):
        assert labels.parse(labels.describe(value)) == value
    assert labels.split("cat+dog, none") == ["cat+dog", "none"]
    assert labels.prepare(None) is None


def test_others_are_refused_with_the_nearest(labels):
    with pytest.raises(UsageError, match="did you mean 'bird'"):
        labels.parse("cat+brd")
    with pytest.raises(DataError, match="neither a list of classes nor a text"):
        labels.prepare(3)
    for classes in ([], ["a", "a"], ["a+b"], ["none"]):
        with pytest.raises(UsageError):
            MultiLabel(classes=classes)


@dataclass
class Tagged:
    tags: list | None
    facts: tuple = ("tags",)

    def get(self, key):
        return self.tags if key == "tags" else None


def test_classes_are_those_of_the_data():
    source = [Tagged(["b", "a"]), Tagged(None), Tagged("c")]
    assert MultiLabel.options_from(source, "tags", {})["classes"] == ["a", "b", "c"]
    with pytest.raises(DataError, match="no example has the fact 'tag'"):
        MultiLabel.options_from(source, "tag", {})

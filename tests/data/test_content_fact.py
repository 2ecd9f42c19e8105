"""The fact `content`: an example itself, as it is encoded."""

import pytest
import torch

from polydiff.data.codec import Codec
from polydiff.data.example import Example
from polydiff.data.examples import ExampleSet


class Numbers(Codec):
    """A number as a tensor of it."""

    channels, shape = 1, (1,)

    def shape_for(self, size):
        return (1,)

    def encode(self, content):
        return torch.tensor([content])

    def decode(self, x):
        return x.flatten().tolist()


class Source(list):
    unreadable, classes = (), ()


def test_it_is_what_is_encoded_after_all_changes():
    source = Source([Example(float(i), str(i), attributes={"size": i}) for i in range(5)])

    def move(content, rng):
        return content + rng.uniform()

    prepare = {"content": lambda value: value, "size": lambda value: value}
    items = ExampleSet(source, range(5), Numbers(), augment=[move], prepare=prepare)
    for position in range(10):
        item = items[position]
        assert item.conditions["content"] == pytest.approx(float(item.x))
        assert 0 < item.conditions["content"] - item.conditions["size"] < 1


def test_it_is_known_of_every_example():
    assert Example(7, "seven").get("content") == 7

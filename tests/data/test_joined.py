"""Several sources as one."""

import pytest

from polydiff.data.example import Example
from polydiff.data.joined import Joined
from polydiff.data.source import Source
from polydiff.errors import DataError


class Letters:
    """The letters of a text, each its own label; "!" cannot be read."""

    def __init__(self, text):
        self.text = text
        self.classes = sorted(set(text))
        self.unreadable = [f"{text}.bad: is bad"]

    def __len__(self):
        return len(self.text)

    def __getitem__(self, index):
        if self.text[index] == "!":
            raise DataError(f"{self.name(index)}: is broken")
        return Example(self.text[index].upper(), self.name(index), self.label(index), "caption", {"at": index})

    def name(self, index):
        return f"letter {index}"

    def label(self, index):
        return self.text[index]


@pytest.fixture
def joined():
    return Joined({"source": Letters("ab"), "also.0": Letters("cb!"), "also.1": Letters("d")})


def test_items_come_one_source_after_the_other(joined):
    assert isinstance(joined, Source)
    assert len(joined) == 6
    assert joined.classes == ["a", "b", "!", "c", "d"]
    names = ["letter 0", "letter 1", "also.0/letter 0", "also.0/letter 1", "also.0/letter 2", "also.1/letter 0"]
    assert [joined.name(i) for i in range(6)] == names
    assert [joined.place(i) for i in range(6)] == [0, 0, 1, 1, 1, 2]
    assert joined[3] == Example("B", "also.0/letter 1", "b", "caption", {"at": 1})
    assert [joined.label(i) for i in range(6)] == list("abcb!d")


def test_faults_say_which_source_they_are_of(joined):
    assert joined.unreadable == ["ab.bad: is bad", "also.0/cb!.bad: is bad", "also.1/d.bad: is bad"]
    with pytest.raises(DataError, match=r"^also\.0/letter 2: is broken$"):
        joined[4]

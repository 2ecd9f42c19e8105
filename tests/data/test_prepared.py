"""What conditioners make of files, kept on disk."""

import numpy as np
import pytest

from polydiff.data.cache import Cache
from polydiff.data.prepared import Prepared
from polydiff.errors import DataError


@pytest.fixture
def length(tmp_path):
    """Make a counted conditioner of the number of bytes of a file, or of a text."""
    read = []

    def prepare(value):
        read.append(value)
        if value == "bad":
            raise DataError("is bad")
        return np.array([len(value if isinstance(value, str) else value.read_bytes())])

    def make(**made_by):
        return Prepared(Cache(tmp_path / "cache"), prepare, made_by)

    make.read = read
    return make


def test_a_file_is_read_once_until_it_or_the_conditioner_changes(length, tmp_path):
    file = tmp_path / "a.wav"
    file.write_bytes(b"abc")
    for _ in range(3):
        assert length(width=1)(file).tolist() == [3]
    assert len(length.read) == 1
    assert length(width=2)(file).tolist() == [3]
    assert len(length.read) == 2
    file.write_bytes(b"abcd")
    assert length(width=1)(file).tolist() == [4]
    assert len(length.read) == 3


def test_other_facts_pass_through(length, tmp_path):
    assert [length()("abc").tolist() for _ in range(2)] == [[3], [3]]
    assert len(length.read) == 2
    with pytest.raises(DataError, match="is bad"):
        length()("bad")
    assert not (tmp_path / "cache").exists()


def test_a_file_that_is_gone_is_the_fault_of_the_data(length, tmp_path):
    with pytest.raises(DataError, match="cannot be opened"):
        length()(tmp_path / "none.wav")

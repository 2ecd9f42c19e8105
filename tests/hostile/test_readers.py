"""What the fuzzer tries for minutes, tried for a moment: random files, and valid ones with changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import READERS

from polydiff.errors import PolydiffError

NAMES = sorted(READERS)

PIECES = (
    st.sampled_from(
        [b'"', b"[", b"]", b"{", b"}", b":", b",", b"\\", b"\n", b"\n- ", b"? ", b"&a", b"*a", b"../", b"\0"]
    )
    | st.sampled_from([b"null", b"true", b"-1", b"1e999", b"NaN", b"!!python/name:os.system", b'["a"]', b'{"a": {}}'])
    | st.sampled_from([b"9" * 5000, b"x" * 300, b"[" * 50_000, b'"\\ud800"', b'"\\u0000"', b'"\\u001b[2J\\n"'])
    | st.binary(max_size=4)
)


@st.composite
def changed(draw, seeds):
    """Put something in the place of up to 20 bytes of a valid file, some times."""
    content = draw(st.sampled_from(seeds))
    for piece in draw(st.lists(PIECES, min_size=1, max_size=3)):
        start = draw(st.integers(0, len(content)))
        content = content[:start] + piece + content[start + draw(st.integers(0, 20)) :]
    return content


def read(name, content):
    try:
        READERS[name](content)
    except PolydiffError as error:
        assert len(str(error).splitlines()) == 1
        assert len(str(error)) < 2000


@pytest.mark.parametrize("name", NAMES)
def test_valid_files_are_read(name):
    for seed in READERS[name].seeds:
        if "checkpoint-manifest" not in name and "model-manifest" not in name:  # of files that are not there
            READERS[name](seed)


@settings(max_examples=40)
@given(st.sampled_from(NAMES), st.binary(max_size=200))
def test_any_file_is_read_or_refused_in_a_line(name, content):
    read(name, content)


@pytest.mark.parametrize("name", NAMES)
def test_any_change_of_a_file_is_read_or_refused_in_a_line(name):
    @settings(max_examples=25)
    @given(changed(READERS[name].seeds))
    def try_one(content):
        read(name, content)

    try_one()

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from polydiff.conditioning.pieces import LONGEST, pieces


def spelt(text, unit="words"):
    return [piece.spelling.decode() for piece in pieces([(text, 1.0)], unit)]


def test_words_and_signs_are_pieces():
    assert spelt("A red,  round\tcircle!") == ["a", "red", ",", "round", "circle", "!"]
    assert spelt("naïve 東京 x2") == ["naïve", "東京", "x2"]


def test_spellings_are_composed():
    assert pieces([(unicodedata.normalize("NFD", "é"), 1.0)], "words") == pieces([("é", 1.0)], "words")


def test_bytes_are_pieces_with_the_blanks():
    assert [piece.spelling for piece in pieces([("a é", 1.0)], "bytes")] == [b"a", b" ", b"\xc3", b"\xa9"]


def test_long_words_are_cut_between_characters():
    cut = spelt("é" * 20)
    assert cut == ["é" * 8, "é" * 8, "é" * 4]
    assert all(len(part.encode()) <= LONGEST for part in cut)


def test_a_word_has_the_weight_of_its_first_letter():
    read = pieces([("a (", 1.0), ("re", 2.0), ("d circ", 0.5), ("le", 3.0)], "words")
    assert [(piece.spelling, piece.weight) for piece in read] == [(b"a", 1), (b"(", 1), (b"red", 2), (b"circle", 0.5)]


@given(st.text(), st.text())
def test_where_spans_end_does_not_matter(one, other):
    for unit in ("words", "bytes"):
        whole = pieces([(unicodedata.normalize("NFC", (one + other).lower()), 1.0)], unit)
        assert all(0 < len(piece.spelling) <= LONGEST for piece in whole)
    ascii_only = [(part.encode("ascii", "ignore").decode(), 1.0) for part in (one, other)]
    assert pieces(ascii_only, "words") == pieces([("".join(part for part, _ in ascii_only), 1.0)], "words")


@given(st.text())
def test_bytes_lose_nothing_but_case_and_composition(text):
    spelling = b"".join(piece.spelling for piece in pieces([(text, 1.0)], "bytes"))
    assert spelling == unicodedata.normalize("NFC", text.lower()).encode("utf-8", "surrogatepass")

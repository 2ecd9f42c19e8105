"""Which characters are meant, and what they are called."""

import unicodedata

import pytest
from polydiff_image.characters import CATEGORIES, category, name, select

from polydiff.errors import UsageError


def test_names_and_categories_are_those_of_unicode():
    assert (name("a"), category("a")) == ("latin small letter a", "lowercase letter")
    assert (name("Ω"), category("Ω")) == ("greek capital letter omega", "uppercase letter")
    assert (name("7"), category("7")) == ("digit seven", "decimal number")
    assert (name("€"), category("€")) == ("euro sign", "currency symbol")
    assert (name("😀"), category("😀")) == ("grinning face", "other symbol")


def test_every_category_of_visible_characters_has_a_name_of_its_own():
    every = {unicodedata.category(chr(code)) for code in range(0x110000)}
    assert every - set(CATEGORIES) == {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
    assert len(set(CATEGORIES.values())) == len(CATEGORIES)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (("a-e",), "abcde"),
        (("U+0041-U+0043",), "ABC"),
        (("x-U+007A", "0-2"), "012xyz"),
        (("hello",), "ehlo"),
        (("-", "a-"), "-a"),
        (("U+1F600-U+1F602",), "😀😁😂"),
        (("🐀-🐂",), "🐀🐁🐂"),
        ((" \n\x00a",), "a"),
    ],
)
def test_ranges_and_texts(items, expected):
    assert "".join(select(items, None)) == expected


def test_categories_narrow_the_choice():
    assert "".join(select(("U+0020-U+007E",), ("decimal number", "currency symbol"))) == "$0123456789"


@pytest.mark.parametrize("item", ["z-a", "U+0043-U+0041", "a-U+110000"])
def test_a_range_that_runs_backwards_or_out_of_unicode_is_refused(item):
    with pytest.raises(UsageError, match="no range of characters"):
        select((item,), None)


def test_an_unknown_category_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'uppercase letter'"):
        select(("a-z",), ("upper case letter",))

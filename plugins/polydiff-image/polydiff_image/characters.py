"""Unicode characters: which are meant, what they are called and of what kind they are."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from polydiff.errors import UsageError, unknown

CATEGORIES = {
    "Lu": "uppercase letter",
    "Ll": "lowercase letter",
    "Lt": "titlecase letter",
    "Lm": "modifier letter",
    "Lo": "other letter",
    "Mn": "nonspacing mark",
    "Mc": "spacing mark",
    "Me": "enclosing mark",
    "Nd": "decimal number",
    "Nl": "letter number",
    "No": "other number",
    "Pc": "connector punctuation",
    "Pd": "dash punctuation",
    "Ps": "open punctuation",
    "Pe": "close punctuation",
    "Pi": "initial punctuation",
    "Pf": "final punctuation",
    "Po": "other punctuation",
    "Sm": "math symbol",
    "Sc": "currency symbol",
    "Sk": "modifier symbol",
    "So": "other symbol",
}
"""The general categories of what can be seen, with the names that the Unicode Standard gives them (table 4-4)."""

_RANGE = re.compile(r"(?:U\+([0-9A-F]{4,6})|(.))(?:-(?:U\+([0-9A-F]{4,6})|(.)))", re.DOTALL)


def name(character: str) -> str:
    """Give a character's Unicode name in lower case: "latin small letter a"."""
    return unicodedata.name(character).lower()


def category(character: str) -> str:
    """Give a character's general category in words: "lowercase letter"."""
    return CATEGORIES[unicodedata.category(character)]


def select(items: Sequence[str], categories: Collection[str] | None) -> list[str]:
    """List the characters that are meant, without repetition, in the order of their code points.

    Parameters
    ----------
    items
        Ranges ("a-z", "U+0370-U+03FF") and texts, each character of which is meant ("0123456789").
    categories
        Only those, in words; `None` takes all.

    Raises
    ------
    UsageError
        When a range runs backwards or leaves Unicode, or there is no such category.
    """
    for word in categories or ():
        if word not in CATEGORIES.values():
            raise UsageError(unknown("category of characters", word, CATEGORIES.values()))
    meant = {character for item in items for character in _expand(item)}
    return sorted(
        character
        for character in meant
        if unicodedata.category(character) in CATEGORIES
        and unicodedata.name(character, None) is not None
        and (categories is None or category(character) in categories)
    )


def _expand(item: str) -> list[str]:
    match = _RANGE.fullmatch(item)
    if match is None:
        return list(item)
    first = int(match[1], 16) if match[1] else ord(match[2])
    last = int(match[3], 16) if match[3] else ord(match[4])
    if not first <= last <= 0x10FFFF:
        raise UsageError(f"'{item}' is no range of characters")
    return [chr(code) for code in range(first, last + 1)]

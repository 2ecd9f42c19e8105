"""Texts in pieces that need no vocabulary: words and signs, or single bytes, each as its UTF-8 spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from polydiff.conditioning.prompt import Span

Unit = Literal["words", "bytes"]

LONGEST = 16
"""Bytes of the longest piece; longer words are cut between characters."""

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """One token: its spelling, and the weight of its first letter."""

    spelling: bytes
    weight: float


def pieces(spans: Sequence[Span], unit: Unit) -> list[Piece]:
    """Cut a text, in lower case and composed form (NFC), into pieces.

    Parameters
    ----------
    spans
        Its parts and their weights, which need not end where words do.
    unit
        "words": runs of letters and digits, and every other sign but blanks by itself. "bytes": every byte, blanks too.
    """
    text, weights = "", list[float]()
    for part, weight in spans:
        text += (added := unicodedata.normalize("NFC", part.lower()))
        weights += [weight] * len(added)
    if unit == "bytes":
        return [Piece(bytes([byte]), weights[i]) for i, letter in enumerate(text) for byte in _utf8(letter)]
    return [Piece(spelling, weights[word.start()]) for word in _WORD.finditer(text) for spelling in _cut(word[0])]


def _cut(word: str) -> list[bytes]:
    """Cut the spelling of a word into parts of at most `LONGEST` bytes, between characters."""
    parts = [b""]
    for letter in word:
        encoded = _utf8(letter)
        if len(parts[-1]) + len(encoded) > LONGEST:
            parts.append(b"")
        parts[-1] += encoded
    return parts


def _utf8(letter: str) -> bytes:
    return letter.encode("utf-8", "surrogatepass")

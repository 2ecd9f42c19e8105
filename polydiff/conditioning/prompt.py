r"""What a user writes for a text condition: words, some of them in brackets with a weight, `a (red:1.3) circle`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from polydiff.errors import UsageError

Span = tuple[str, float]
"""A part of a text and its weight."""

_MARK = re.compile(
    r"\\(?P<literal>[()\\])"
    r"|\((?P<text>(?:\\.|[^()\\])*):\s*(?P<weight>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)\s*\)",
    re.DOTALL,
)
_SPECIAL = re.compile(r"([()\\])")


def parse_prompt(prompt: str) -> list[Span]:
    r"""Divide a prompt into spans: what stands in `(text:number)` has that weight, all else the weight 1.

    Other brackets and colons mean themselves; a backslash takes the meaning from the bracket after it, as in
    `\(scale 1:2\)`. Brackets with weights do not nest.

    Raises
    ------
    UsageError
        When a weight is not finite.
    """
    spans: list[Span] = []
    end = 0
    for mark in _MARK.finditer(prompt):
        spans.append((prompt[end : mark.start()], 1.0))
        if mark["literal"]:
            spans.append((mark["literal"], 1.0))
        else:
            spans.append((re.sub(r"\\([()\\])", r"\1", mark["text"]), _finite(mark["weight"])))
        end = mark.end()
    return merged([*spans, (prompt[end:], 1.0)])


def format_prompt(spans: Sequence[Span]) -> str:
    """Write the prompt that `parse_prompt` reads as these spans."""
    return "".join(_bare(text) if weight == 1 else f"({_escaped(text)}:{weight!r})" for text, weight in merged(spans))


def merged(spans: Sequence[Span]) -> list[Span]:
    """Join neighbours of one weight, and leave out what is empty."""
    joined: list[Span] = []
    for text, weight in spans:
        if joined and joined[-1][1] == weight:
            joined[-1] = joined[-1][0] + text, weight
        elif text:
            joined.append((text, weight))
    return joined


def _bare(text: str) -> str:
    """Write a text that has no weight; brackets are escaped only where they would be read as a weight's."""
    return _escaped(text) if _MARK.search(text) or "\\" in text else text


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _finite(text: str) -> float:
    if not math.isfinite(weight := float(text)):
        raise UsageError(f"the weight of a part of a prompt is {text}; it must be finite")
    return weight

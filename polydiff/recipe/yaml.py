"""YAML 1.2 as recipes use it: plain data, and where each value stands.

ruamel.yaml reads the syntax; what a plain scalar means is decided here, by the core schema of YAML 1.2 (section
10.3.2): `1e-4` is a number, `on` a text, `010` ten, `1_000` and `2024-01-01` texts. Tags are refused, so that no text
of a recipe can make an object; anchors and aliases too, so that a short recipe cannot grow into a long one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from ruamel.yaml.reader import ReaderError

from polydiff.errors import RecipeError
from polydiff.recipe.origin import KeyPath, Locations

Data = bool | int | float | str | list["Data"] | dict[str, "Data"] | None

DEPTH = 32
"""Levels of nesting beyond which a recipe is refused."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGERS = ((r"[-+]?[0-9]+", 10), (r"0o[0-7]+", 8), (r"0x[0-9a-fA-F]+", 16))
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_INFINITY = r"[-+]?\.(inf|Inf|INF)"
_NAN = r"\.(nan|NaN|NAN)"


def plain_scalar(text: str) -> bool | int | float | str | None:
    """Give what an unquoted scalar means.

    Raises
    ------
    ValueError
        For "not a number", and for a number too large for the machine.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    for pattern, base in _INTEGERS:
        if re.fullmatch(pattern, text):
            return int(text, base)
    if re.fullmatch(_FLOAT, text):
        number = float(text)
        if math.isinf(number):
            raise ValueError(f"{text} is too large a number")
        return number
    if re.fullmatch(_INFINITY, text):
        return float(text.replace(".", ""))
    if re.fullmatch(_NAN, text):
        raise ValueError(f"{text} (not a number) is no value")
    return text


def parse(text: str, where: Callable[[int], str]) -> tuple[Data, Locations]:
    """Read one YAML document.

    Parameters
    ----------
    text
        The document; an empty one is null.
    where
        Words for a line, counted from 1.

    Returns
    -------
    data, locations
        Dicts with text keys, lists, texts, numbers, true, false and null; and where each of them stands.

    Raises
    ------
    RecipeError
        At a syntax error, duplicate key, tag, anchor, second document or value that no recipe may hold.
    """
    events: Iterator[Event] = YAML(typ="safe", pure=True).parse(text)
    reader = _Reader(events, where)
    try:
        return reader.document(), reader.locations
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RecipeError(f"{where(line)}: the character U+{error.character:04X} has no place in YAML") from error
    except MarkedYAMLError as error:
        # What is never closed is best told by where it begins.
        mark = (error.context_mark if "stream" in str(error.problem) else None) or error.problem_mark
        raise RecipeError(f"{where(mark.line + 1)}: {_syntax(error)}") from error
    except YAMLError as error:
        raise RecipeError(f"{where(1)}: not YAML: {' '.join(str(error).split())}") from error


def _syntax(error: MarkedYAMLError) -> str:
    if "'\\t'" in str(error.problem):
        return "not YAML: a tab cannot indent; use spaces"
    return f"not YAML: {' '.join(filter(None, (error.problem, error.context)))}"


class _Reader:
    """Makes data of the events of one document."""

    def __init__(self, events: Iterator[Event], where: Callable[[int], str]) -> None:
        self.events = events
        self.where = where
        self.locations: dict[KeyPath, str] = {}

    def document(self) -> Data:
        """Read the only document of the stream."""
        next(self.events)  # the stream's start
        start = next(self.events)
        if isinstance(start, StreamEndEvent):
            return None
        self._check_version(start)
        data = self._value(next(self.events), ())
        next(self.events)  # the document's end
        further = next(self.events)
        if not isinstance(further, StreamEndEvent):
            raise self._error(further, "a second document starts here; a recipe is a single one")
        return data

    def _check_version(self, start: Event) -> None:
        assert isinstance(start, DocumentStartEvent)
        if start.version not in {None, (1, 2)}:
            raise self._error(start, "recipes are YAML 1.2; remove the %YAML directive")

    def _value(self, event: Event, path: KeyPath) -> Data:
        self._check_plain(event)
        if len(path) > DEPTH:
            raise self._error(event, f"nested deeper than {DEPTH} levels")
        match event:
            case SequenceStartEvent():
                return self._list(path)
            case MappingStartEvent():
                return self._dict(path)
        assert isinstance(event, ScalarEvent)
        return self._scalar(event)

    def _check_plain(self, event: Event) -> None:
        assert isinstance(event, NodeEvent)
        if event.anchor is not None:
            raise self._error(event, "anchors and aliases (&, *) are not taken; write the value out")
        if (tag := getattr(event, "ctag", None)) is not None:
            raise self._error(event, f"tags ({tag}) are not taken; write the plain value")

    def _scalar(self, event: ScalarEvent) -> Data:
        try:
            event.value.encode()
            return plain_scalar(event.value) if event.implicit[0] else event.value
        except UnicodeEncodeError as error:
            raise self._error(event, "a text with half a character (a lone surrogate)") from error
        except ValueError as error:
            raise self._error(event, str(error)) from error

    def _list(self, path: KeyPath) -> list[Data]:
        items: list[Data] = []
        while not isinstance(event := next(self.events), SequenceEndEvent):
            here = (*path, len(items))
            self.locations[here] = self._line(event)
            items.append(self._value(event, here))
        return items

    def _dict(self, path: KeyPath) -> dict[str, Data]:
        entries: dict[str, Data] = {}
        while not isinstance(event := next(self.events), MappingEndEvent):
            key = self._key(event)
            here = (*path, key)
            if key in entries:
                raise self._error(event, f"the key {key!r} stands twice; the first is at {self.locations[here]}")
            self.locations[here] = self._line(event)
            entries[key] = self._value(next(self.events), here)
        return entries

    def _key(self, event: Event) -> str:
        self._check_plain(event)
        key = self._scalar(event) if isinstance(event, ScalarEvent) else None
        if not isinstance(key, str):
            raise self._error(event, "a key must be a text; quote it")
        return key

    def _line(self, event: Event) -> str:
        return self.where(event.start_mark.line + 1)

    def _error(self, event: Event, message: str) -> RecipeError:
        return RecipeError(f"{self._line(event)}: {message}")

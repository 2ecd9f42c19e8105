"""pydantic's account of what is wrong, in plain words that say where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from polydiff.errors import RecipeError, UsageError, nearest
from polydiff.recipe.origin import KeyPath

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "null",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "a list of {min_length} or more",
    "too_long": "a list of {max_length} or fewer",
}
"""What a value must be, by pydantic's type of error; it fills in the bounds."""

LONGEST_TEXT = 40
"""Characters of a refused text that are shown."""


def first_problem(
    error: ValidationError,
    data: Any,
    keys: Callable[[KeyPath], Iterable[str]],
    problem: Callable[[KeyPath, str], RecipeError | UsageError],
) -> RecipeError | UsageError:
    """Make one error of all that pydantic found: the first, and how many more there are.

    An unknown key goes before the rest, since a missing one is often its correct spelling.

    Parameters
    ----------
    error
        What pydantic raised.
    data
        What it was given.
    keys
        The known keys of the mapping at a path.
    problem
        Makes the error of a path and a message.
    """
    found: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_path(detail, data), []).append(detail)
    # An alternative of a union that was left sooner than another says less.
    paths = [p for p in found if not any(q != p and q[: len(p)] == p for q in found)]
    path = min(paths, key=lambda p: found[p][0]["type"] != "extra_forbidden")
    message = _message(found[path], path, keys)
    if more := len(paths) - 1:
        message += f" ({more} more {'error' if more == 1 else 'errors'})"
    return problem(path, message)


def _path(detail: ErrorDetails, data: Any) -> KeyPath:
    """Leave out what pydantic adds to a location: the alternatives of a union, `[key]`."""
    path: list[str | int] = []
    for key in detail["loc"]:
        inside = data if isinstance(data, dict) else dict(enumerate(data)) if isinstance(data, list) else {}
        if key in inside:
            path.append(key)
            data = inside[key]
    if detail["type"] == "missing":
        path.append(detail["loc"][-1])
    return tuple(path)


def _message(details: list[ErrorDetails], path: KeyPath, keys: Callable[[KeyPath], Iterable[str]]) -> str:
    first = details[0]
    match first["type"]:
        case "extra_forbidden":
            key = str(path[-1])
            return unknown_here("key", key, keys(path[:-1]))
        case "missing":
            return "missing"
        case "value_error":
            return str(first["ctx"]["error"])
    expected = dict.fromkeys(map(_expected, details))
    return f"must be {' or '.join(expected)}, not {shown(first['input'])}"


def _expected(detail: ErrorDetails) -> str:
    context = {key: f"{n:g}" if isinstance(n, float) else n for key, n in detail.get("ctx", {}).items()}
    pattern = _EXPECTED.get(detail["type"])
    return pattern.format(**context) if pattern else detail["msg"].removeprefix("Input should be ")


def unknown_here(kind: str, key: str, choices: Iterable[str]) -> str:
    """Say that a key is unknown and which is nearest, after a place that names the key already."""
    return f"unknown {kind}; {nearest(key, choices)}"


def shown(value: Any) -> str:
    """Say what a refused value is."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return f"the text {value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + '…'!r}"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
    return str(value)

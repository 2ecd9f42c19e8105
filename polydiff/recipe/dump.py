"""Writing recipes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from polydiff.recipe.schema import Config
from polydiff.recipe.yaml import plain_scalar

_UNQUOTED = re.compile(r"[\w~/][\w~/.+-]*( [\w~/.+-]+)*")
"""Texts that mean themselves anywhere in YAML, unless they are another scalar."""

_UNPRINTABLE = re.compile(r"[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]")


def dump(config: Config) -> str:
    """Write a recipe or a part of one as YAML, with every default; read again it is equal.

    Sections and components are blocks, everything else stands on one line.
    """
    return "\n".join(_block(config.model_dump(), "")) + "\n"


def _block(entries: Mapping[str, Any], indent: str) -> Iterator[str]:
    for key, value in entries.items():
        head = f"{indent}{_text(key)}:"
        if value and isinstance(value, dict):
            yield head
            yield from _block(value, indent + "  ")
        elif value and isinstance(value, list) and all(isinstance(item, dict) and item for item in value):
            yield head
            for item in value:
                first, *rest = _block(item, indent + "    ")
                yield f"{indent}  - {first.strip()}"
                yield from rest
        else:
            yield f"{head} {_line(value)}"


def _line(value: Any) -> str:
    match value:
        case dict():
            return f"{{{', '.join(f'{_text(key)}: {_line(item)}' for key, item in value.items())}}}"
        case list() | tuple():
            return f"[{', '.join(map(_line, value))}]"
        case str():
            return _text(value)
        case float() if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def _text(text: str) -> str:
    if _UNQUOTED.fullmatch(text) and _is_itself(text):
        return text
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def _is_itself(text: str) -> bool:
    try:
        return plain_scalar(text) == text
    except ValueError:
        return False

"""The header of a PLY file (Turk, The PLY Polygon File Format, 1994)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from polydiff.data.file import File
from polydiff.errors import DataError

_LONGEST = 1 << 16
"""Bytes of a header."""

_ORDERS = {"ascii": None, "binary_little_endian": "<", "binary_big_endian": ">"}
_TYPES = {
    **dict.fromkeys(("char", "int8"), "i1"),
    **dict.fromkeys(("uchar", "uint8"), "u1"),
    **dict.fromkeys(("short", "int16"), "i2"),
    **dict.fromkeys(("ushort", "uint16"), "u2"),
    **dict.fromkeys(("int", "int32"), "i4"),
    **dict.fromkeys(("uint", "uint32"), "u4"),
    **dict.fromkeys(("float", "float32"), "f4"),
    **dict.fromkeys(("double", "float64"), "f8"),
}


@dataclass(frozen=True, slots=True)
class Element:
    """So many records of named numbers.

    Attributes
    ----------
    types
        Of each property; `None` for a list.
    """

    name: str
    count: int
    types: dict[str, str | None]

    def dtype(self, order: str) -> np.dtype[Any]:
        """Give the type of a binary record; raise `DataError` when it contains a list."""
        if None in self.types.values():
            raise DataError(f"has lists in its element '{self.name}', which are not read")
        return np.dtype([(name, f"{order}{kind}") for name, kind in self.types.items()])


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says that it holds.

    Attributes
    ----------
    order
        "<" or ">", of the bytes of its numbers; `None` when they are text.
    start
        Where the header ends, in bytes.
    """

    order: str | None
    elements: tuple[Element, ...]
    start: int

    def count(self, name: str) -> int:
        """Give the number of records of an element; 0 when there is none of that name."""
        return sum(element.count for element in self.elements if element.name == name)


def read_header(path: File) -> Header:
    """Read the header of a file; raise `DataError` when it is none."""
    with path.open("rb") as file:
        content = file.read(_LONGEST)
    if not content:
        raise DataError("is empty")
    if content.split(None, 1)[:1] != [b"ply"]:
        raise DataError("is no PLY file")
    text, mark, rest = content.partition(b"end_header")
    if not mark:
        raise DataError("is damaged or truncated: its header has no end")
    end = len(text) + len(mark) + rest.find(b"\n") + 1
    try:
        lines = [line.split() for line in text.decode("ascii", "replace").splitlines()]
        return Header(_order(lines), tuple(_elements(lines)), end)
    except (ValueError, KeyError, IndexError) as error:
        raise DataError(f"has a header that is no PLY's: {error}") from error


def _order(lines: list[list[str]]) -> str | None:
    orders = [_ORDERS[line[1]] for line in lines if line[:1] == ["format"]]
    return orders[0]


def _elements(lines: list[list[str]]) -> list[Element]:
    elements: list[Element] = []
    for line in lines:
        if line[:1] == ["element"]:
            elements.append(Element(line[1], int(line[2]), {}))
        elif line[:2] == ["property", "list"]:
            elements[-1].types[line[4]] = None
        elif line[:1] == ["property"]:
            elements[-1].types[line[2]] = _TYPES[line[1]]
    return elements

"""What the columns of a table hold, read without their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from polydiff.data.cell import BYTES

if TYPE_CHECKING:
    import pyarrow
    from datasets import Dataset


def file_columns(table: Dataset) -> list[str]:
    """Name the columns whose cells hold files: binary ones, or with a binary field "bytes"."""
    return [field.name for field in table.features.arrow_schema if _binary(_content(field.type))]


def kind(table: Dataset, column: str) -> str:
    """Say what a column holds: "class", "text", "whole number", "number", "truth value", or its Arrow type."""
    from pyarrow import types  # noqa: PLC0415 (an extra)

    if type(table.features[column]).__name__ == "ClassLabel":
        return "class"
    found = table.features.arrow_schema.field(column).type
    kinds = {
        "text": types.is_string(found) or types.is_large_string(found),
        "whole number": types.is_integer(found),
        "number": types.is_floating(found),
        "truth value": types.is_boolean(found),
    }
    return next((name for name, applies in kinds.items() if applies), str(found))


def facts(table: Dataset, column: str) -> Sequence[Any]:
    """Read a column of one of the kinds that `kind` names; classes as their names, `None` where nothing is known."""
    values: list[Any] = _read(table, column).to_pylist()
    if kind(table, column) == "class":
        names = table.features[column].names
        return [None if value is None or not 0 <= value < len(names) else names[value] for value in values]
    return values


def sizes_and_names(table: Dataset, column: str) -> tuple[Sequence[int | None], Sequence[str | None]]:
    """Give the size in bytes of each file of a column, `None` where there is none, and its name where it is known."""
    from pyarrow import compute  # noqa: PLC0415 (an extra)

    cells = _read(table, column)
    if _binary(cells.type):
        return compute.binary_length(cells).to_pylist(), [None] * len(cells)
    sizes = compute.binary_length(compute.struct_field(cells, BYTES)).to_pylist()
    named = any(field.name == "path" for field in cells.type)
    return sizes, compute.struct_field(cells, "path").to_pylist() if named else [None] * len(cells)


def _read(table: Dataset, column: str) -> pyarrow.ChunkedArray:
    return table.select_columns([column]).with_format("arrow")[:].column(0)


def _content(found: pyarrow.DataType) -> pyarrow.DataType:
    """Give the type of what would be a file."""
    from pyarrow import types  # noqa: PLC0415 (an extra)

    if types.is_struct(found):
        return next((field.type for field in found if field.name == BYTES), found)
    return found


def _binary(found: pyarrow.DataType) -> bool:
    from pyarrow import types  # noqa: PLC0415 (an extra)

    return bool(types.is_binary(found) or types.is_large_binary(found))

"""Facts about files, from a table that lies beside them: `metadata.jsonl` or `metadata.csv`."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from polydiff.data.example import CONTENT
from polydiff.errors import DataError, short
from polydiff.files import parse_json

TABLES = ("metadata.csv", "metadata.jsonl")

TEXT_LIMIT = 1 << 20
"""Of a line of facts in JSON, a caption or a label."""

_TEXTS = {"file_name", "label", "caption"}
_FILE = "_file_name"
_NUMBER = re.compile(r"[+-]?((0|[1-9]\d{0,17})(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Facts:
    """What one line of a table says of one file.

    Attributes
    ----------
    file
        Relative to the table's folder; never leads out of it.
    where
        "photos/metadata.csv:3", for messages.
    files
        Further facts that are files, by name; likewise relative.
    """

    file: PurePosixPath
    where: str
    label: str | None = None
    caption: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, PurePosixPath] = field(default_factory=dict)


def read_table(path: Path) -> Iterator[Facts]:
    """Read a table line by line.

    Columns are `file_name`, `label`, `caption`; `NAME_file_name` says which file the fact NAME is, as in the tables of
    Hugging Face's ImageFolder and AudioFolder; every other column becomes an attribute, where the numbers of a CSV are
    parsed. An empty cell and a JSON null mean that the fact is not known.

    Raises
    ------
    DataError
        With file and line: a malformed line, no `file_name`, a name of a file that leads out of the folder, a
        label or caption that is no text, two columns for one fact.
    """
    lines = _jsonl(path) if path.suffix == ".jsonl" else _csv(path)
    try:
        for number, row in lines:
            yield _facts(row, f"{path}:{number}")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason})") from error
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(iter(lambda: file.readline(TEXT_LIMIT + 1), ""), start=1):
            if len(line) > TEXT_LIMIT:
                raise DataError(f"{path}:{number}: has more than {TEXT_LIMIT} characters")
            if not line.strip():
                continue
            try:
                row = parse_json(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}:{number}: not JSON: {error.msg} at column {error.colno}") from error
            except ValueError as error:
                raise DataError(f"{path}:{number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number}: expected a JSON object, {{...}}")
            yield number, {key: value for key, value in row.items() if value is not None}


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = next(rows, [])
            if len(set(header)) < len(header):
                raise DataError(f"{path}:1: two columns have one name")
            if "file_name" not in header:
                raise DataError(f"{path}:1: there is no column 'file_name'")
            for cells in rows:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise DataError(f"{path}:{rows.line_num}: {len(cells)} cells under {len(header)} columns")
                row = {key: cell for key, cell in zip(header, cells, strict=True) if cell}
                typed = {key: cell if _is_text(key) else _number(cell) for key, cell in row.items()}
                yield rows.line_num, typed
        except csv.Error as error:
            raise DataError(f"{path}:{rows.line_num}: not CSV: {error}") from error


def _facts(row: dict[str, Any], where: str) -> Facts:
    file = _path("file_name", row.pop("file_name", None), where)
    columns = [key for key in row if key.endswith(_FILE)]
    files = {key.removesuffix(_FILE): _path(key, row.pop(key), where) for key in columns}
    if twice := sorted(files.keys() & (row.keys() | _TEXTS | {CONTENT, ""})):
        raise DataError(f"{where}: {twice[0]}{_FILE} names a file for a fact that is told otherwise; rename the column")
    try:
        label, caption, attributes = described(row)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    return Facts(file, where, label, caption, attributes, files)


def _path(column: str, name: Any, where: str) -> PurePosixPath:
    if not isinstance(name, str) or not name:
        raise DataError(f"{where}: there is no {column}")
    file = PurePosixPath(name)
    if file.is_absolute() or ".." in file.parts:
        raise DataError(f"{where}: {column} '{short(name)}' leads out of the folder")
    return file


def _is_text(column: str) -> bool:
    return column in _TEXTS or column.endswith(_FILE)


def described(facts: Mapping[str, Any]) -> tuple[str | None, str | None, Mapping[str, Any]]:
    """Divide facts into label, caption and further attributes.

    Raises
    ------
    DataError
        For a label or caption that is no text; a whole number passes for a label.
    """
    attributes = dict(facts)
    label, caption = attributes.pop("label", None), attributes.pop("caption", None)
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    for key, value in (("label", label), ("caption", caption)):
        if value is not None and not isinstance(value, str):
            raise DataError(f"the {key} is no text: {short(json.dumps(value))}")
    return label, caption, attributes


def _number(cell: str) -> int | float | str:
    """Parse a number; what may be an identifier ("007", twenty digits) stays a text."""
    if not _NUMBER.fullmatch(cell):
        return cell
    return float(cell) if set(cell) & set(".eE") else int(cell)

"""Plain output: tables that wrap on a terminal and stay whole lines in a pipe, and JSON."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import click

from polydiff.errors import printable

_GAP = "  "


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows in aligned columns; the last column is wrapped where the terminal ends."""
    rows = [list(map(printable, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in (header, *rows)), strict=True)]
    _row([click.style(cell, bold=True) for cell in header], widths, [len(cell) for cell in header])
    for row in rows:
        _row(row, widths, [len(cell) for cell in row])


def as_json(value: Any) -> None:
    """Write a value for other programs."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def _row(cells: Sequence[str], widths: Sequence[int], lengths: Sequence[int]) -> None:
    lead = "".join(
        cell + " " * (width - length) + _GAP for cell, width, length in zip(cells, widths, lengths, strict=False)
    )
    indent = sum(widths) + len(_GAP) * len(widths)
    first, *more = _wrap(cells[-1], indent)
    click.echo((lead + first).rstrip())
    for line in more:
        click.echo(" " * indent + line)


def _wrap(text: str, indent: int) -> list[str]:
    room = shutil.get_terminal_size().columns - indent
    if not sys.stdout.isatty() or room < 20:
        return [text]
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]

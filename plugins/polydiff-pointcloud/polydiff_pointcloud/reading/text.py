"""Points as rows of text (`.xyz`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.reading.limits import check_count
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.reading.picking import choose, lines, pick_rows
from polydiff_pointcloud.reading.raw import Numbers, Raw

_SEPARATORS = bytes.maketrans(b",;", b"  ")


def check(path: File, options: Options) -> None:
    """Look at the first row."""
    with path.open("rb") as file:
        first = next(_rows(file), None)
    if first is None:
        raise DataError("is empty: it has no points")
    try:
        count = len([float(number) for number in first.split()])
    except ValueError as error:
        raise DataError(f"is no text of numbers: {error}") from error
    _check_columns(count, options)


def read(path: File, options: Options, rng: np.random.Generator) -> Raw:
    """Count the rows, and read those that are kept."""
    with path.open("rb") as file:
        count = sum(1 for _ in _rows(file))
        check_count(count, options)
        file.seek(0)
        table = pick_rows(_rows(file), count, choose(count, options.points, rng))
    _check_columns(table.shape[1], options)
    normals = table[:, 3:6] if options.normals else None
    colors = _scaled(table[:, 6:9] if options.normals else table[:, 3:6]) if options.colors else None
    return Raw(table[:, :3], normals, colors)


def _rows(file: IO[bytes]) -> Iterator[bytes]:
    """Give the rows of numbers, without comments."""
    for line in lines(file):
        row = line.translate(_SEPARATORS).strip()
        if row and not row.startswith((b"#", b"//")):
            yield row


def _check_columns(count: int, options: Options) -> None:
    needed = 3 * (1 + options.normals + options.colors)
    if count < needed:
        parts = ["3 coordinates", *(["3 of the normal"] if options.normals else []), *(["3 colours"] * options.colors)]
        raise DataError(f"has {count} numbers in a row; {' and '.join(parts)} are needed")


def _scaled(colors: Numbers) -> Numbers:
    """Bring colours of 0 to 255, which some exceeding 1 gives away, to [0, 1]."""
    return colors / 255 if colors.max() > 1 else colors

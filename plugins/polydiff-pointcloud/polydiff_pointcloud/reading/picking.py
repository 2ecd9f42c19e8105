"""Taking some of many records, in little memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from polydiff.errors import DataError

_BLOCK = 1 << 20
"""Bytes that are read at a time."""

_LONGEST = 4096
"""Bytes of a line."""


def choose(count: int, points: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Give which of `count` points to keep, in ascending order: all, or `points` drawn at random."""
    if count <= points:
        return np.arange(count)
    return np.sort(rng.choice(count, points, replace=False, shuffle=False))


def pick_records(file: IO[bytes], dtype: np.dtype[Any], count: int, chosen: NDArray[np.int64]) -> NDArray[Any]:
    """Read `count` records one after the other and give the chosen ones.

    Raises
    ------
    DataError
        When the file ends before.
    """
    parts = []
    step = max(1, _BLOCK // dtype.itemsize)
    for start in range(0, count, step):
        length = min(step, count - start)
        block = file.read(length * dtype.itemsize)
        if len(block) < length * dtype.itemsize:
            missing = count - start - len(block) // dtype.itemsize
            raise DataError(f"is truncated: {missing} of {count} points are missing")
        low, high = np.searchsorted(chosen, (start, start + length))
        parts.append(np.frombuffer(block, dtype)[chosen[low:high] - start])
    return np.concatenate(parts)


def lines(file: IO[bytes]) -> Iterator[bytes]:
    """Read lines of text with their ends.

    Raises
    ------
    DataError
        When one is longer than text has them.
    """
    while line := file.readline(_LONGEST):
        if len(line) == _LONGEST:
            raise DataError(f"is no text: a line is longer than {_LONGEST} bytes")
        yield line


def pick_rows(rows: Iterator[bytes], count: int, chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    """Read `count` rows of numbers, between which there is space, and give the chosen ones, (K, columns).

    Raises
    ------
    DataError
        When there are fewer, when some are longer than others, or when something is no number.
    """
    wanted = iter(chosen.tolist())
    place, picked, read = next(wanted), [], 0
    for index, row in enumerate(rows):
        read = index + 1
        if index == place:
            picked.append(row.split())
            place = next(wanted, -1)
        if read == count:
            break
    if read < count:
        raise DataError(f"is truncated: {count - read} of {count} points are missing")
    widths = sorted({len(row) for row in picked})
    if len(widths) > 1:
        raise DataError(f"has rows of {widths[0]} and of {widths[-1]} numbers")
    try:
        return np.array(picked, dtype=np.bytes_).astype(np.float64)
    except ValueError as error:
        raise DataError(f"holds something else than numbers: {error}") from error

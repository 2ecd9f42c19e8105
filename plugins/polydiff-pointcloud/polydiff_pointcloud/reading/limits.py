"""What is more than a source takes."""

from __future__ import annotations

from polydiff.errors import DataError
from polydiff_pointcloud.reading.options import Options


def check_count(count: int, options: Options, noun: str = "points") -> None:
    """Raise `DataError` when a file has too many points, or none."""
    if count < 1:
        raise DataError(f"is empty: it has no {noun}")
    if count > options.max_points:
        raise DataError(f"has {count} {noun}, more than {options.max_points}; data.source.max_points allows more")


def check_bytes(size: int, options: Options) -> None:
    """Raise `DataError` when a mesh file is larger than one of `max_points` vertices can be."""
    if size > options.max_bytes:
        most = f"what {options.max_points} vertices take"
        raise DataError(f"holds {size} bytes, more than {most}; data.source.max_points allows more")

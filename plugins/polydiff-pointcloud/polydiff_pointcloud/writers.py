"""Point clouds as bytes of a file, with what is to be remembered of them inside where the format has a place for it.

Coordinates are written so that they read back as the same float32. The same cloud gives the same bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polydiff_pointcloud import gltf
from polydiff_pointcloud import ply as ply_format
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.comments import lines


def ply(content: PointCloud, metadata: Mapping[str, str]) -> bytes:
    """Write a binary PLY with normals and colours; each entry of the metadata becomes a comment."""
    return ply_format.encode(content.points, metadata, normals=content.normals, colors=content.colors)


def glb(content: PointCloud, metadata: Mapping[str, str]) -> bytes:
    """Write a binary glTF with normals and colours; the metadata go into `asset.extras`."""
    return gltf.encode(content.points, metadata, normals=content.normals, colors=content.colors)


def obj(content: PointCloud, metadata: Mapping[str, str]) -> bytes:
    """Write an OBJ of vertices, with colours behind the coordinates; each entry of the metadata becomes a comment."""
    rows = as_text(content.points)
    if content.colors is not None:
        rows = [f"{row} {color}" for row, color in zip(rows, as_text(content.colors), strict=True)]
    return text([*(f"# {line}" for line in lines(metadata)), *(f"v {row}" for row in rows)])


def xyz(content: PointCloud, metadata: Mapping[str, str]) -> bytes:  # noqa: ARG001 (as all writers)
    """Write three coordinates a line and nothing else: not every reader knows comments."""
    return text(as_text(content.points))


def npy(content: PointCloud, metadata: Mapping[str, str]) -> bytes:  # noqa: ARG001 (as all writers)
    """Write the coordinates as an array, (N, 3) float32; the format has no place for metadata."""
    file = io.BytesIO()
    np.save(file, content.points)
    return file.getvalue()


def beyond_coordinates(content: PointCloud) -> str | None:
    """Tell what a file of coordinates alone does not hold."""
    named = (("normals", content.normals), ("colours", content.colors))
    absent = [name for name, part in named if part is not None]
    return f"has no {' and no '.join(absent)}" if absent else None


def beyond_colors(content: PointCloud) -> str | None:
    """Tell what a file of coordinates and colours does not hold."""
    return None if content.normals is None else "has no normals"


def as_text(table: NDArray[np.float32]) -> list[str]:
    """Write the rows of a table, each number with as many digits as tell it from every other float32."""
    return [" ".join(map(str, row)) for row in table]


def text(rows: list[str]) -> bytes:
    """Join lines to a file."""
    return "".join(f"{row}\n" for row in rows).encode("ascii")

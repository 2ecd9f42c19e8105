"""The PLY format (Turk 1994), binary, as bytes of points or of triangles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polydiff_pointcloud.comments import lines

_TYPES: Final = {"f4": "float", "u1": "uchar"}


def encode(
    points: NDArray[np.float32],
    metadata: Mapping[str, str],
    *,
    normals: NDArray[np.float32] | None = None,
    colors: NDArray[np.float32] | None = None,
    faces: NDArray[np.int32] | None = None,
) -> bytes:
    """Give a little-endian PLY; each entry of the metadata becomes a comment.

    Parameters
    ----------
    points, normals, colors
        (N, 3) each; colours in [0, 1] are rounded to bytes.
    faces
        (F, 3) places of points.
    """
    columns = [("x", "f4", points[:, 0]), ("y", "f4", points[:, 1]), ("z", "f4", points[:, 2])]
    if normals is not None:
        columns += [(f"n{axis}", "f4", normals[:, i]) for i, axis in enumerate("xyz")]
    if colors is not None:
        levels = np.rint(255 * colors.clip(0, 1))
        columns += [(name, "u1", levels[:, i]) for i, name in enumerate(("red", "green", "blue"))]
    table = np.empty(len(points), [(name, f"<{kind}") for name, kind, _ in columns])
    for name, _, values in columns:
        table[name] = values
    header = ["ply", "format binary_little_endian 1.0", *(f"comment {line}" for line in lines(metadata))]
    header += [f"element vertex {len(points)}", *(f"property {_TYPES[kind]} {name}" for name, kind, _ in columns)]
    if faces is not None:
        header += [f"element face {len(faces)}", "property list uchar int vertex_indices"]
    header += ["end_header", ""]
    return "\n".join(header).encode("ascii") + table.tobytes() + (b"" if faces is None else _faces(faces))


def _faces(faces: NDArray[np.int32]) -> bytes:
    table = np.empty(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    table["count"], table["corners"] = 3, faces
    return table.tobytes()

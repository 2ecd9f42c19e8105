"""Points of PLY files; their meshes are trimesh's."""

from __future__ import annotations

from itertools import islice

import numpy as np

from polydiff.data.file import File
from polydiff.errors import DataError
from polydiff_pointcloud.reading.limits import check_bytes, check_count
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.reading.picking import choose, lines, pick_records, pick_rows
from polydiff_pointcloud.reading.ply_header import Element, Header, read_header
from polydiff_pointcloud.reading.raw import NAMES, Numbers, Raw

_PARTS = {"points": ("x", "y", "z"), "normals": ("nx", "ny", "nz"), "colors": ("red", "green", "blue")}


def check(path: File, options: Options) -> None:
    """Look at the header."""
    header = read_header(path)
    check_count(header.count("vertex"), options, "vertices")
    if header.count("face"):
        check_bytes(path.stat().st_size, options)
        if options.colors:
            _check_mesh_colors(header)
        return
    before, vertex = _before(header)
    _check_properties(vertex, options)
    if header.order is not None:
        needed = sum(element.count * element.dtype(header.order).itemsize for element in (*before, vertex))
        missing = needed - (path.stat().st_size - header.start)
        if missing > 0:
            raise DataError(f"is truncated: {missing} of the {needed} bytes of its points are missing")


def holds_faces(path: File) -> bool:
    """Tell a mesh from points."""
    return read_header(path).count("face") > 0


def read_points(path: File, options: Options, rng: np.random.Generator) -> Raw:
    """Read the points that are kept."""
    header = read_header(path)
    check_count(header.count("vertex"), options)
    before, vertex = _before(header)
    _check_properties(vertex, options)
    chosen = choose(vertex.count, options.points, rng)
    with path.open("rb") as file:
        file.seek(header.start)
        if header.order is None:
            rows = islice(lines(file), sum(element.count for element in before), None)
            table = pick_rows(rows, vertex.count, chosen)
            if table.shape[1] != len(vertex.types):
                raise DataError(f"has rows of {table.shape[1]} numbers; its header says {len(vertex.types)}")
            columns = {name: _typed(table[:, place], kind) for place, (name, kind) in enumerate(vertex.types.items())}
        else:
            file.seek(sum(element.count * element.dtype(header.order).itemsize for element in before), 1)
            records = pick_records(file, vertex.dtype(header.order), vertex.count, chosen)
            columns = {name: records[name] for name in vertex.types}
    return Raw(**{part: _stacked(columns, names) for part, names in _PARTS.items() if set(names) <= set(columns)})


def _before(header: Header) -> tuple[tuple[Element, ...], Element]:
    """Give the elements before the vertices, and the vertices."""
    place = next(place for place, element in enumerate(header.elements) if element.name == "vertex")
    return header.elements[:place], header.elements[place]


def _check_properties(vertex: Element, options: Options) -> None:
    lacking = [name for name in _PARTS["points"] if name not in vertex.types]
    if lacking:
        raise DataError(f"has vertices without {', '.join(lacking)}")
    for part, asked in (("normals", options.normals), ("colors", options.colors)):
        if asked and not set(_PARTS[part]) <= set(vertex.types):
            raise DataError(f"has no {NAMES[part]}; data.source.{part} asks for them")


def _check_mesh_colors(header: Header) -> None:
    """Raise `DataError` unless colours, where there are some, have the one type that trimesh does not change."""
    kinds = {element.types.get("red") for element in header.elements} - {None}
    if kinds - {"u1"}:
        raise DataError("is a mesh with colours of another type than uchar, which are not read")


def _typed(column: Numbers, kind: str | None) -> Numbers:
    """Give numbers of text the type that the header says."""
    if kind is None:
        raise DataError("has lists in its element 'vertex', which are not read")
    if kind[0] == "f":
        return column
    with np.errstate(invalid="ignore"):
        typed = column.astype(kind)
    if (typed != column).any():
        raise DataError("has numbers that are not of the type that its header says")
    return typed


def _stacked(columns: dict[str, Numbers], names: tuple[str, ...]) -> Numbers:
    return np.stack([columns[name] for name in names], axis=1)

"""A folder of meshes or point files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from polydiff.data.cache import Cache
from polydiff.data.file import File, identity
from polydiff.data.folder import FolderSource
from polydiff.data.shards import sharded
from polydiff.data.tables import hugging_face, parquet, tabled
from polydiff_pointcloud import reading
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.normalising import Normalization, Up
from polydiff_pointcloud.reading.options import Options


class Folder(FolderSource):
    """The meshes (PLY, OBJ, GLB, glTF, STL, OFF, 3MF) and point files (PLY, XYZ, NPY, NPZ) of a folder.

    A mesh is sampled uniformly on its surface, the same points each time; a scene counts as one shape, its parts where
    it puts them. A point file is taken as it is. Files are read when they are used, in each epoch anew unless there is
    a `cache`.

    Parameters
    ----------
    path
        The folder. The sub-folder that a file lies in is its label, unless `metadata.jsonl` or `metadata.csv`
        (columns `file_name`, `label`, `caption` and any more) says otherwise.
    points
        How many are drawn on the surface of a mesh. Of a point file with more, so many are kept, drawn at random; the
        rest is not kept in memory.
    normals, colors
        Whether they are read, too; files without are refused. The normals of a mesh are those of its triangles, its
        colours those of its texture, vertices or faces.
    up
        The axis that points up in the files. Shapes of `z`, as printing has it, are turned so that it is y.
    normalize
        `unit-sphere` moves the middle of each shape's bounding box to the origin and its farthest point to a distance
        of 1; `unit-box` makes its longest side go from -1 to 1; `none` leaves shapes as they are, for the codec to
        bring the whole data set to one place and scale.
    cache
        A folder in which clouds are kept as they are after all of the above; it is made when it is not there, and can
        be emptied at any time. 16,384 points take 200 kB.
    max_points
        Files with more points or vertices are refused, by what their headers say where they do.
    """

    def __init__(
        self,
        path: Path,
        points: int = reading.DEFAULT.points,
        normals: bool = False,
        colors: bool = False,
        up: Up = "y",
        normalize: Normalization = "unit-sphere",
        cache: Path | None = None,
        max_points: int = reading.DEFAULT.max_points,
    ) -> None:
        self.options = Options(points, normals, colors, up, normalize, max_points)
        self.root = Path(path).expanduser() if isinstance(path, str | Path) else None
        self.cache = None if cache is None else Cache(Path(cache).expanduser())
        super().__init__(path, reading.SUFFIXES)

    def check(self, path: File) -> None:
        """Look at a file's header."""
        reading.check(path, self.options, self.root)

    def read(self, path: File) -> PointCloud:
        """Give a file's points."""
        if self.cache is None:
            return reading.read(path, self.options, self.root)
        kept = self.cache.arrays(self._key(path), lambda: _parts(reading.read(path, self.options, self.root)))
        return PointCloud(kept["points"], kept.get("normals"), kept.get("colors"))

    def _key(self, path: File) -> dict[str, Any]:
        """Say all that a cloud depends on."""
        versions = {"trimesh": trimesh.__version__, "numpy": np.__version__}
        return {**identity(path), **asdict(self.options), **versions}


def _parts(cloud: PointCloud) -> dict[str, NDArray[np.float32]]:
    parts = {"points": cloud.points, "normals": cloud.normals, "colors": cloud.colors}
    return {name: part for name, part in parts.items() if part is not None}


WebDataset = sharded(Folder)
Parquet = tabled(Folder, parquet)
HuggingFace = tabled(Folder, hugging_face)

"""Point clouds kept on disk."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from polydiff.files import cannot_write, write
from polydiff_pointcloud.cloud import PointCloud

_FORMAT = 1
"""Counts up when what is made under a key changes."""


class Cache:
    """A folder of clouds, each in a file that is named after what it was made of.

    Files are whole or not there, so several processes can share it, and it can be emptied at any time. What was
    made of older files or with other options stays until then.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def cloud(self, key: Mapping[str, Any], make: Callable[[], PointCloud]) -> PointCloud:
        """Give what is kept under a key, or else make and keep it.

        Parameters
        ----------
        key
            All that the cloud depends on, as JSON has it, but for versions of the code. `normals` and `colors` say
            whether it has any.
        make
            What it raises goes through, and nothing is kept.

        Raises
        ------
        PolydiffError
            When the disk is full or the folder cannot be written to.
        """
        path = self._path(key)
        try:
            return _cloud(_load(path), key["normals"], key["colors"])
        except (OSError, ValueError, EOFError):  # not there, or damaged
            made = make()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error
        file = io.BytesIO()
        rows = np.concatenate([part for part in (made.points, made.normals, made.colors) if part is not None], axis=1)
        np.lib.format.write_array(file, np.ascontiguousarray(rows), allow_pickle=False)
        write(path, file.getvalue())
        return made

    def _path(self, key: Mapping[str, Any]) -> Path:
        versions = {"format": _FORMAT, "trimesh": trimesh.__version__, "numpy": np.__version__}
        text = json.dumps({**key, **versions}, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / name[:2] / f"{name}.npy"


def _load(path: Path) -> NDArray[np.float32]:
    """Read a file; raise `ValueError` unless it is whole."""
    rows: Any = np.load(path, allow_pickle=False)
    if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) == 0:
        raise ValueError(f"{path} holds no points")
    return np.asarray(rows)


def _cloud(rows: NDArray[np.float32], normals: bool, colors: bool) -> PointCloud:
    """Take the columns apart; raise `ValueError` unless there are as many as there must be."""
    if rows.shape[1] != 3 * (1 + normals + colors):
        raise ValueError("is of another cloud")
    parts = iter(np.split(rows, rows.shape[1] // 3, axis=1))
    return PointCloud(next(parts), next(parts) if normals else None, next(parts) if colors else None)

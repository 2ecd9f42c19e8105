"""Screened Poisson surface reconstruction (Kazhdan and Hoppe 2013, ACM Transactions on Graphics 32), by pymeshlab."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polydiff_pointcloud.meshing.surface import Surface, UnmadeError

NAME = "screened Poisson"

SECONDS = 120
"""After which a process is given up."""

_FINE, _DEPTHS = 1000, (6, 7)
"""The depth of the octree, below so many points and from there on."""

_WORKER = "polydiff_pointcloud.meshing.poisson_worker"


def poisson(points: NDArray[np.float32], normals: NDArray[np.float32]) -> Surface:
    """Give the surface, in a process of its own.

    Parameters
    ----------
    points, normals
        (N, 3) each; the normals point outwards.

    Raises
    ------
    UnmadeError
        When the process fails, crashes or hangs.
    """
    depth = _DEPTHS[len(points) >= _FINE]
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "points.npz"), Path(folder, "surface.npz")
        np.savez(given, points=points, normals=normals, depth=depth)
        try:
            subprocess.run(  # noqa: S603 (our own program)
                [sys.executable, "-m", _WORKER, str(given), str(made)], check=True, timeout=SECONDS, capture_output=True
            )
        except subprocess.TimeoutExpired as error:
            raise UnmadeError(f"pymeshlab took more than {SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            raise UnmadeError(_reason(error)) from error
        with np.load(made) as arrays:
            return Surface(arrays["vertices"], arrays["faces"], NAME)


def _reason(error: subprocess.CalledProcessError) -> str:
    if error.returncode < 0:
        return f"pymeshlab crashed with signal {-error.returncode}"
    said = error.stderr.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(said) if line.strip()), f"exit code {error.returncode}")
    return f"pymeshlab failed: {last}"

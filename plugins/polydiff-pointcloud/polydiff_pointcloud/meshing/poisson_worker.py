"""A process of its own for pymeshlab, which can crash: `python -m ... points.npz surface.npz`."""

from __future__ import annotations

import sys
from typing import Final

import numpy as np
import pymeshlab

_OPTIONS: Final = {"pointweight": 4.0, "samplespernode": 1.5, "scale": 1.2, "threads": 1}
"""Few points for each cell of the octree: thin legs want all the detail there is. One thread gives one result."""


def main(given: str, made: str) -> None:
    """Read `points`, `normals` and `depth`; write `vertices` and `faces`."""
    with np.load(given) as arrays:
        points, normals, depth = (arrays[name] for name in ("points", "normals", "depth"))
    meshes = pymeshlab.MeshSet(verbose=False)
    meshes.add_mesh(pymeshlab.Mesh(points.astype(np.float64), v_normals_matrix=normals.astype(np.float64)))
    meshes.generate_surface_reconstruction_screened_poisson(depth=int(depth), **_OPTIONS)
    mesh = meshes.current_mesh()
    np.savez(made, vertices=mesh.vertex_matrix().astype(np.float32), faces=mesh.face_matrix().astype(np.int32))


if __name__ == "__main__":
    main(*sys.argv[1:])

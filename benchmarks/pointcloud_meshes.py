"""Are meshes of generated shapes watertight, and as near to the points as points of one shape are to each other?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import trimesh
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.distances import chamfer_unsquared
from polydiff_pointcloud.meshing.reconstruct import reconstruct


def meshes(clouds: Sequence[PointCloud]) -> None:
    """Print of each cloud how far a mesh of one half of its points is from these, and how far the two halves are.

    The halves of a generated cloud are two samplings of one shape: their distance is the noise floor.
    """
    for cloud in clouds:
        order = np.random.default_rng(0).permutation(len(cloud))
        ours, other = cloud[order[::2]], cloud[order[1::2]]
        surface = reconstruct(PointCloud(ours.points))
        sampled, _ = trimesh.sample.sample_surface(surface.mesh, len(ours), seed=0)
        floor, distance = _between(other.points, ours.points), _between(np.asarray(sampled), ours.points)
        closed = "watertight" if surface.watertight else "not watertight"
        print(
            f"mesh of {len(ours)} points by {surface.method}: {closed}, Euler number {surface.euler}, "
            f"Chamfer distance {distance:.4f} = {distance / floor:.2f} x the noise floor"
        )


def _between(x: np.ndarray, y: np.ndarray) -> float:
    one, other = (torch.from_numpy(each.astype(np.float32))[None] for each in (x, y))
    return float(chamfer_unsquared(one, other))

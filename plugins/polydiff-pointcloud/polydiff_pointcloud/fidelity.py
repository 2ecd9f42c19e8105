"""How true a cloud is to another."""

from __future__ import annotations

import torch

from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.distances import chamfer, chamfer_unsquared


def fidelity(content: PointCloud, original: PointCloud) -> dict[str, float]:
    """Give the Chamfer distances, squared and not, in the clouds' own units."""
    ours, true = (torch.from_numpy(cloud.points)[None] for cloud in (content, original))
    return {"chamfer": float(chamfer(ours, true)), "chamfer_unsquared": float(chamfer_unsquared(ours, true))}

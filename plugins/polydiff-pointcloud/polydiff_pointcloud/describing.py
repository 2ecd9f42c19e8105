"""Shapes as numbers, for `polydiff data check`."""

from __future__ import annotations

import numpy as np

from polydiff.data.description import Description
from polydiff_pointcloud.cloud import PointCloud


def describe(cloud: PointCloud) -> Description:
    """Give the number of points and the longest side, and the points with what is known of them."""
    extent = float(np.ptp(cloud.points, axis=0).max())
    sizes = {"points": float(len(cloud)), **({"extent": extent} if extent > 0 else {})}
    parts = [part for part in (cloud.points, cloud.normals, cloud.colors) if part is not None]
    return Description(sizes, np.concatenate(parts, axis=1))

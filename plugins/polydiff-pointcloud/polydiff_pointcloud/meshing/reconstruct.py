"""From points to a watertight surface: screened Poisson where it can be had, marching cubes otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from polydiff.errors import PluginError, UsageError
from polydiff_pointcloud import normals as pgr
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.meshing.poisson import poisson
from polydiff_pointcloud.meshing.surface import Surface, UnmadeError

FEWEST = 32
"""Points that a mesh can be made of."""

_FLAT = 1e-3
"""Share of its extent below which a cloud is no solid."""


def require_extra() -> None:
    """Raise a `PluginError` that says what to install when no method is there."""
    if not (_installed("pymeshlab") or _installed("skimage")):
        raise PluginError("meshes need pymeshlab or scikit-image: pip install 'polydiff-pointcloud[mesh]'")


def reconstruct(cloud: PointCloud) -> Surface:
    """Make the surface that a cloud was sampled from; colours are those of the nearest points.

    Its `method` says what made it and, where that is not screened Poisson, why not.

    Raises
    ------
    UsageError
        When there are too few points, or they lie on a plane, a line or a point.
    PolydiffError
        When no method makes a surface of them.
    PluginError
        When no method is installed.
    """
    require_extra()
    _check(cloud.points)
    surface = _made(cloud)
    if cloud.colors is None:
        return surface
    _, place = cKDTree(cloud.points).query(surface.vertices)
    return replace(surface, colors=cloud.colors[place])


def _made(cloud: PointCloud) -> Surface:
    try:
        if not _installed("pymeshlab"):
            raise UnmadeError("pymeshlab is not installed")
        normals = pgr.estimate(cloud.points) if cloud.normals is None else cloud.normals
        return _watertight(lambda: poisson(cloud.points, normals))
    except UnmadeError as first:
        if not _installed("skimage"):
            raise UsageError(f"no mesh can be made of this cloud: {first}; scikit-image may: pip install it") from first
        from polydiff_pointcloud.meshing.marching import marching  # noqa: PLC0415 (an extra)

        try:
            surface = _watertight(lambda: marching(pgr.solve(cloud.points)))
        except UnmadeError as second:
            raise UsageError(f"no mesh can be made of this cloud: {first}, and {second}") from second
        return replace(surface, method=f"{surface.method} ({first})")


def _watertight(method: Callable[[], Surface]) -> Surface:
    surface = method()
    if len(surface.faces):
        surface = surface.without_strays().outwards()
    if not surface.watertight:
        raise UnmadeError(f"the surface by {surface.method} is not watertight")
    return surface


def _check(points: NDArray[np.float32]) -> None:
    if len(points) < FEWEST:
        raise UsageError(
            f"a mesh needs at least {FEWEST} points, and some hundreds to look like something; "
            f"there {'is' if len(points) == 1 else 'are'} {len(points)}"
        )
    spread = np.linalg.svd(points - points.mean(0, dtype=np.float64), compute_uv=False)
    if spread[2] <= _FLAT * spread[0]:
        raise UsageError("the points lie on a plane, a line or a point: a mesh needs a solid")


def _installed(module: str) -> bool:
    return find_spec(module) is not None

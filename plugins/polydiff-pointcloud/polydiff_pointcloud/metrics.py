"""Distances between sets of generated and real shapes; each gives a record that says what the number depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polydiff.errors import DataError, UsageError
from polydiff.metrics.matching import coverage as share_covered
from polydiff.metrics.matching import minimum_matching_distance, one_nearest_neighbour
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.distances import find_distance
from polydiff_pointcloud.normalising import Normalization, normalise
from polydiff_pointcloud.occupancy import CELLS, histogram, jensen_shannon

_VALUES = ("one_nna", "coverage", "mmd")


def compare(
    generated: Sequence[PointCloud],
    real: Sequence[PointCloud],
    *,
    distance: str = "chamfer",
    points: int | None = None,
    normalize: Normalization = "none",
) -> dict[str, Any]:
    """Give all measures that rest on distances between shapes, which are computed once.

    Parameters
    ----------
    generated, real
        At least 2 each; all clouds of a set have equally many points, unless `points` is given.
    distance
        "chamfer" (of squares), "chamfer-unsquared" or "emd".
    points
        Draw so many points of each cloud, the same ones each time; all by default.
    normalize
        As the sources normalise: "unit-sphere", "unit-box", or "none" for shapes as they are.

    Returns
    -------
    dict
        `one_nna`, `coverage` and `mmd`; `real_against_real`, the same of the even against the odd places of `real` and
        their `counts`, or `None` for fewer than 4; `distance` with its `formula` and `implementation`; `normalize`;
        of `generated` and `real` their `count` and `points`.

    Raises
    ------
    UsageError
        When there are too few clouds or points, or no such distance.
    DataError
        When a cloud is empty or not finite.
    """
    if min(len(generated), len(real)) < 2:
        raise UsageError(f"at least 2 generated and 2 real clouds are needed, not {len(generated)} and {len(real)}")
    chosen = find_distance(distance)
    x, y = (_stacked(*each, points, normalize) for each in ((generated, "generated"), (real, "real")))
    made, given = _Clouds.of(x), _Clouds.of(y)
    between, within_y = _table(chosen.name, made, given), _table(chosen.name, given, given)
    halves = within_y[::2, ::2], within_y[::2, 1::2], within_y[1::2, 1::2]
    enough = len(real) >= 4
    return {
        **_values(_table(chosen.name, made, made), between, within_y),
        "real_against_real": _values(*halves) | {"counts": list(halves[1].shape)} if enough else None,
        "distance": {"name": chosen.name, "formula": chosen.formula, "implementation": chosen.implementation},
        **_circumstances(x, y, normalize),
    }


def one_nna(generated: Sequence[PointCloud], real: Sequence[PointCloud], **options: Any) -> dict[str, Any]:
    """Give the 1-nearest-neighbour accuracy as `value`: 0.5 at best. Takes the options of `compare`."""
    return _only("one_nna", compare(generated, real, **options))


def coverage(generated: Sequence[PointCloud], real: Sequence[PointCloud], **options: Any) -> dict[str, Any]:
    """Give the share of real shapes that are nearest to a generated one as `value`. Takes the options of `compare`."""
    return _only("coverage", compare(generated, real, **options))


def mmd(generated: Sequence[PointCloud], real: Sequence[PointCloud], **options: Any) -> dict[str, Any]:
    """Give the mean distance of real shapes to the nearest generated one as `value`. Takes the options of `compare`."""
    return _only("mmd", compare(generated, real, **options))


def jsd(
    generated: Sequence[PointCloud], real: Sequence[PointCloud], *, normalize: Normalization = "none"
) -> dict[str, Any]:
    """Give the Jensen-Shannon divergence of the share of all points in each voxel of the real shapes' bounding cube.

    Parameters
    ----------
    generated, real
        At least 1 each.
    normalize
        As of `compare`.

    Returns
    -------
    dict
        `value`, from 0 to 1; `real_against_real` of the even against the odd places, or `None` for a single shape;
        `cells` along a side; the `center` and the `reach` of the cube; `outside`, the share of generated points that
        lie outside and count in the nearest voxel; `base` of the logarithm; `normalize`; `count` and `points` of
        `generated` and `real`.

    Raises
    ------
    UsageError
        When a set is empty.
    DataError
        When a cloud is empty or not finite.
    """
    if not (len(generated) and len(real)):
        raise UsageError(f"at least 1 generated and 1 real cloud are needed, not {len(generated)} and {len(real)}")
    x, y = (_arrays(*each, normalize) for each in ((generated, "generated"), (real, "real")))
    there, here = np.concatenate(x), np.concatenate(y)
    low, high = here.min(0).astype(np.float64), here.max(0).astype(np.float64)
    center, reach = (low + high) / 2, float((high - low).max() / 2) or 1.0
    halves = [np.concatenate(half) for half in (y[::2], y[1::2]) if half]
    even_odd = [histogram(half, center, reach) for half in halves]
    return {
        "value": jensen_shannon(histogram(there, center, reach), histogram(here, center, reach)),
        "real_against_real": {"value": jensen_shannon(*even_odd), "counts": [len(y[::2]), len(y[1::2])]}
        if len(even_odd) == 2
        else None,
        "cells": CELLS,
        "center": center.tolist(),
        "reach": reach,
        "outside": float((np.abs(there - center).max(1) > reach).mean()),
        "base": 2,
        "normalize": normalize,
        "generated": {"count": len(x), "points": sorted({len(each) for each in x})},
        "real": {"count": len(y), "points": sorted({len(each) for each in y})},
    }


@dataclass(frozen=True, slots=True)
class _Clouds:
    """A set of clouds, equal to any of the same points."""

    digest: bytes
    points: Tensor = field(compare=False)

    @classmethod
    def of(cls, points: Tensor) -> _Clouds:
        hashed = hashlib.blake2b(str(tuple(points.shape)).encode())
        hashed.update(points.numpy().tobytes())
        return cls(hashed.digest(), points)


@lru_cache(maxsize=8)
def _table(distance: str, x: _Clouds, y: _Clouds) -> Tensor:
    """Give the distances of all pairs, computed once for the metrics that share them and for each further model."""
    return find_distance(distance).between(x.points, x.points if x == y else y.points)


def _values(within_x: Tensor, between: Tensor, within_y: Tensor) -> dict[str, float]:
    return {
        "one_nna": one_nearest_neighbour(within_x, between, within_y),
        "coverage": share_covered(between),
        "mmd": minimum_matching_distance(between),
    }


def _only(name: str, record: dict[str, Any]) -> dict[str, Any]:
    """Keep one of the values of a comparison."""
    halves = record["real_against_real"]
    kept = {key: value for key, value in record.items() if key not in _VALUES}
    return {
        "value": record[name],
        **kept,
        "real_against_real": halves and {"value": halves[name], "counts": halves["counts"]},
    }


def _circumstances(x: Tensor, y: Tensor, normalize: str) -> dict[str, Any]:
    sets = {"generated": x, "real": y}
    return {"normalize": normalize} | {
        name: {"count": len(each), "points": each.shape[1]} for name, each in sets.items()
    }


def _stacked(clouds: Sequence[PointCloud], what: str, points: int | None, normalize: Normalization) -> Tensor:
    arrays = _arrays(clouds, what, normalize)
    counts = {len(each) for each in arrays}
    if points is None and len(counts) > 1:
        raise UsageError(
            f"{what} clouds have {min(counts)} to {max(counts)} points; points={min(counts)} draws so many of each"
        )
    if points is not None:
        if points < 1 or points > min(counts):
            raise UsageError(f"{points} points cannot be drawn of clouds with {min(counts)} {what} points")
        rng = np.random.default_rng(0)
        arrays = [each[np.sort(rng.choice(len(each), points, replace=False))] for each in arrays]
    return torch.from_numpy(np.stack(arrays))


def _arrays(clouds: Sequence[PointCloud], what: str, normalize: Normalization) -> list[np.ndarray[Any, Any]]:
    """Give the points of each cloud, float32, checked and normalised."""
    arrays = []
    for place, cloud in enumerate(clouds):
        if not len(cloud) or not np.isfinite(cloud.points).all():
            raise DataError(f"{what} cloud {place} {'is not finite' if len(cloud) else 'has no points'}")
        arrays.append(normalise(cloud.points, normalize).astype(np.float32))
    return arrays

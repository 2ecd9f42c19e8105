"""Clouds of which part is given: completion of part of a shape, and upsampling of a shape of few points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from polydiff.core.given import Known
from polydiff.errors import UsageError
from polydiff.generation.request import Request
from polydiff.model import Model
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.cloud_conditioner import Cloud
from polydiff_pointcloud.points import Points
from polydiff_pointcloud.reading import read_cloud
from polydiff_pointcloud.reading.options import Options


def given(path: Path, options: Options, points: int) -> PointCloud:
    """Read what is given of clouds of `points` points; of a mesh, points on its surface.

    Raises
    ------
    UsageError
        When nothing would be left to generate.
    DataError
        When the file cannot be read.
    """
    if options.points >= points:
        raise UsageError(f"{options.points} given points of {points} leave nothing to generate; say --points or --keep")
    return read_cloud(path, options)


def request(model: Model, cloud: PointCloud, points: int, notes: dict[str, Any], **asked: Any) -> Request:
    """Ask for clouds of `points` points, the first of which are those of `cloud`.

    Networks that treat all points alike need to be told no more: the order of points means nothing to them.

    Parameters
    ----------
    cloud
        Fewer points, in the place and of the size that the model's own shapes have.
    notes
        What is to be told of the given cloud in the records.
    asked
        As `polydiff.generation.request.Request` takes it.

    Raises
    ------
    UsageError
        When the model is not one of point clouds.
    """
    codec = model.codec
    if not isinstance(codec, Points):
        raise UsageError(
            f"the model's codec is '{model.config.codec.name}': it has no points to be given, as 'points' has"
        )
    known = Known(*codec.encode_part(cloud, points))
    return Request(known=known, size=str(points), notes={"given": notes | {"points": len(cloud)}}, **asked)


def tokens(model: Model, path: Path) -> dict[str, list[str]]:
    """Give what tells a model's conditioner of points what to upsample; nothing where it has none."""
    names = [name for name, conditioner in model.conditioners.items() if isinstance(conditioner, Cloud)]
    return {name: [str(path)] for name in names}

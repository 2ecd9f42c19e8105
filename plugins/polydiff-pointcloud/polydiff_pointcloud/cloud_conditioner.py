"""Conditioning on a few points of the shape, as tokens: a network that has learnt it upsamples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner, FactSource, absent, known_facts
from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, UsageError
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.reading import read_cloud
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.subset import subset

MEASURED = 256
"""Shapes from which the center and the scale are taken, spread evenly over the data."""

POINTS = 128
"""That are taken of a shape, unless the recipe says otherwise."""

_WAVES = 8.0, 0.1
"""The longest and the shortest wavelength of the features, in units of the scale."""


class Cloud(Conditioner):
    """A token for each of at most `points` points of the shape; takes the fact `content`, or the path of a file.

    A token is made of sines and cosines of its coordinates by a two-layer perceptron; the order of the points means
    nothing. `conditions: {content: {name: cloud, dropout: 0.2}}` trains a network that upsamples, and that
    generates without as well.

    Parameters
    ----------
    points
        Of a shape with more, the same random ones are taken each time.
    center, scale
        Of the coordinates in the training data; the origin and 1 when left out.
    width
        Of a token.
    features
        Sines and cosines of each coordinate, an even count.
    """

    center: Tensor
    frequencies: Tensor

    def __init__(
        self,
        *,
        points: int = POINTS,
        center: list[float] | None = None,
        scale: float | None = None,
        width: int = 128,
        features: int = 16,
    ) -> None:
        super().__init__()
        if points < 1 or width < 1 or features < 2 or features % 2:
            raise UsageError(
                "conditioner 'cloud' needs points >= 1, width >= 1 and features even, "
                f"got {points}, {width} and {features}"
            )
        scale = 1.0 if scale is None else scale
        if scale <= 0 or (center is not None and len(center) != 3):
            raise UsageError(f"conditioner 'cloud' needs a scale > 0 and a center of 3 numbers, got {scale}, {center}")
        self.dims = ConditionDims(tokens=width)
        self.points = points
        self.scale = scale
        self.register_buffer("center", torch.tensor(center or [0.0] * 3), persistent=False)
        longest, shortest = (math.log2(2 * math.pi / wave) for wave in _WAVES)
        frequencies = torch.logspace(longest, shortest, features // 2, base=2.0)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.first = nn.Linear(3 * (features + 1), width)
        self.second = nn.Linear(width, width)

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Measure the center and the scale, where the recipe leaves them open.

        Raises
        ------
        DataError
            When the fact is no point cloud.
        """
        given = {key: value for key, value in options.items() if value is not None}
        if "center" in given and "scale" in given:
            return dict(options)
        points = given.get("points", POINTS)
        clouds = [_points(value, points) for value in known_facts(source, name, MEASURED)]
        if not clouds:
            raise absent(source, name)
        every = np.concatenate(clouds).astype(np.float64)
        measured = {"center": every.mean(0).tolist(), "scale": float(every.std(0).max()) or 1.0}
        return {**options, **measured, **given}

    def prepare(self, value: Any) -> list[list[float]] | None:
        """Take the points of a cloud, or of a file, whose coordinates are left as they are."""
        if value is None:
            return None
        points = _points(value, self.points)
        chosen = points[subset(len(points), self.points)] if len(points) > self.points else points
        rows: list[list[float]] = chosen.tolist()
        return rows

    def parse(self, text: str) -> list[list[float]]:
        """Read a file of points, or of a mesh, whose coordinates are those of the training data."""
        try:
            return self.prepare(Path(text)) or []
        except DataError as error:
            raise UsageError(str(error)) from error

    def describe(self, value: Sequence[Sequence[float]]) -> str:
        """Count the points."""
        return f"{len(value)} points"

    def forward(self, values: Sequence[Sequence[Sequence[float]] | None]) -> Condition:
        """Make the tokens, always `points` of them; where a shape has fewer points, the rest are masked out."""
        length = self.points
        device = self.center.device
        x, known = torch.zeros(len(values), length, 3), torch.zeros(len(values), length, dtype=torch.bool)
        for row, value in enumerate(values):
            if value is not None:
                x[row, : len(value)], known[row, : len(value)] = torch.tensor(value), True
        z = (x.to(device) - self.center) / self.scale
        angles = z[..., None] * self.frequencies
        features = torch.cat((z[..., None], angles.sin(), angles.cos()), -1).flatten(2)
        tokens = self.second(nn.functional.silu(self.first(features)))
        mask = known.to(device)
        return Condition(tokens=torch.where(mask[..., None], tokens, torch.zeros_like(tokens)), mask=mask)


def _points(value: Any, points: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    if isinstance(value, Path):
        value = read_cloud(value, Options(points=points, normalize="none"))
    if not isinstance(value, PointCloud):
        raise DataError(f"conditioner 'cloud' takes a point cloud or its file, not {type(value).__name__}")
    if not len(value) or not np.isfinite(value.points).all():
        raise DataError("the cloud has no points, or some that are not finite")
    return value.points

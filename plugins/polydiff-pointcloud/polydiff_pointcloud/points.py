"""Point clouds as the coordinates of their points."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from polydiff.data.codec import Codec
from polydiff.errors import DataError, PolydiffError, UsageError
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.subset import subset

Normalize = Literal["data", "none"]

FITTED = 512
"""How many clouds `fit` measures at most."""

MOST_POINTS = 10**7
"""Of a generated cloud."""


class Points(Codec):
    """Clouds as (C, N): x, y and z, then the normal and the colour where they are asked for.

    Of a cloud with more points than N the same random subset is encoded each time; the augmentation `subsample` draws
    another in every epoch. A cloud of N points comes back from `decode` in its order, to the rounding of float32.

    Parameters
    ----------
    points
        N, at least 1. A model generates any other number, too.
    normalize
        "data" moves the mean of all training points to the origin and divides by one scale, such that their
        coordinates have unit variance; both are measured before training and saved with the model. "none" diffuses
        the coordinates as they are, which suits a source that normalises them to unit variance itself.
    normals
        Whether to encode normals, too, as three further channels.
    colors
        Whether to encode colours, too, as three further channels in [-1, 1].
    unequal
        Whether clouds may have fewer points than N. They are padded, and the padding is told from points by a mask.
    """

    center: Tensor
    scale: Tensor

    exchangeable = True

    def __init__(
        self,
        points: int = 2048,
        normalize: Normalize = "data",
        normals: bool = False,
        colors: bool = False,
        unequal: bool = False,
    ) -> None:
        super().__init__()
        if points < 1:
            raise UsageError(f"points is {points}; it must be at least 1")
        if normalize not in {"data", "none"}:
            raise UsageError(f"normalize is '{normalize}'; say data or none")
        self.points = points
        self.normalize = normalize
        self.normals = normals
        self.colors = colors
        self.unequal = unequal
        self.register_buffer("center", torch.zeros(3))
        self.register_buffer("scale", torch.ones(()))

    @property
    def channels(self) -> int:
        """3, and 3 more for each of normals and colours."""
        return 3 * (1 + self.normals + self.colors)

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, points)."""
        return self.channels, self.points

    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read a number of points, such as "1024"."""
        match = re.fullmatch(r"0*([1-9][0-9]{0,7})", size.strip())
        if match is None or int(match[1]) > MOST_POINTS:
            raise UsageError(f"'{size}' is no number of points; say 2048, or another from 1 to {MOST_POINTS}")
        return self.channels, int(match[1])

    def fit(self, contents: Iterable[PointCloud]) -> None:
        """Measure the first `FITTED` clouds that can be encoded; where none can, training will say why."""
        if self.normalize == "none":
            return
        count, total, squares = 0, np.zeros(3), np.zeros(3)
        for cloud in islice(self._encodable(contents), FITTED):
            points = cloud.points.astype(np.float64)
            count += len(points)
            total += points.sum(0)
            squares += np.square(points).sum(0)
        if not count:
            return
        center = total / count
        variance = float((squares / count - center**2).mean())
        self.center.copy_(torch.from_numpy(center))
        if variance > 0:
            self.scale.fill_(variance**0.5)

    def encode(self, content: PointCloud) -> Tensor:
        """Encode a cloud: (C, N).

        Raises
        ------
        DataError
            When the cloud has too few points, values that are not finite, or lacks what is to be encoded.
        """
        self._check(content)
        if self.normals:
            _require(content.normals, "normals")
        if self.colors:
            _require(content.colors, "colors")
        rows, _ = self._rows(content)
        rows = rows[subset(len(rows), self.points)] if len(rows) > self.points else rows
        padded = np.pad(rows, ((0, self.points - len(rows)), (0, 0)))
        return torch.from_numpy(np.ascontiguousarray(padded.T))

    def encode_part(self, content: PointCloud, points: int) -> tuple[Tensor, Tensor]:
        """Encode all points of a cloud as the first of a larger one.

        Parameters
        ----------
        points
            Of the larger cloud, more than the cloud has.

        Returns
        -------
        x
            (C, points), zero where nothing is known.
        known
            (C, points), bool: which values the cloud has.

        Raises
        ------
        DataError
            When the cloud has no points, or values that are not finite.
        """
        assert len(content) < points, "there is nothing left to add"
        _check_values(content)
        rows, given = self._rows(content)
        x, known = torch.zeros(self.channels, points), torch.zeros(self.channels, points, dtype=torch.bool)
        x[:, : len(rows)] = torch.from_numpy(np.ascontiguousarray(rows.T))
        known[:, : len(rows)] = torch.tensor(given)[:, None]
        return x, known

    def _rows(self, content: PointCloud) -> tuple[NDArray[np.float32], list[bool]]:
        """Give all points of a cloud, (K, C), zeros for what it does not have, and whether it has each channel."""
        scaled = (content.points - self.center.cpu().numpy()) / self.scale.cpu().numpy()
        parts: list[NDArray[np.float32] | None] = [scaled]
        if self.normals:
            parts.append(content.normals)
        if self.colors:
            parts.append(None if content.colors is None else 2 * content.colors - 1)
        filled = [np.zeros_like(content.points) if part is None else part for part in parts]
        return np.concatenate(filled, 1, dtype=np.float32), [part is not None for part in parts for _ in range(3)]

    def mask(self, content: PointCloud) -> Tensor | None:
        """Tell points, 1, from padding, 0: (1, N); `None` where all clouds have enough points."""
        return (torch.arange(self.points) < len(content)).float()[None] if self.unequal else None

    def decode(self, x: Tensor) -> list[PointCloud]:
        """Make clouds of a batch (B, C, N), N as it comes.

        Normals are brought to unit length, and colours beyond [0, 1] to 0 or 1.

        Raises
        ------
        PolydiffError
            When `x` is not finite.
        """
        if not x.isfinite().all():
            raise PolydiffError("the samples are not finite: the network has diverged")
        return [self._decode(each) for each in x.detach().float().cpu().transpose(1, 2).contiguous().numpy()]

    def cut(self, content: PointCloud, size: str) -> PointCloud:
        """Give the first so many points of a cloud."""
        return content[: self.shape_for(size)[1]]

    def _decode(self, rows: NDArray[np.float32]) -> PointCloud:
        parts = iter(np.split(rows, self.channels // 3, 1))
        points = next(parts) * self.scale.cpu().numpy() + self.center.cpu().numpy()
        normals = _unit(next(parts)) if self.normals else None
        colors = ((next(parts) + 1) / 2).clip(0, 1) if self.colors else None
        return PointCloud(points, normals, colors)

    def _encodable(self, contents: Iterable[PointCloud]) -> Iterable[PointCloud]:
        for content in contents:
            try:
                self._check(content)
            except DataError:
                continue
            yield content

    def _check(self, cloud: PointCloud) -> None:
        _check_values(cloud)
        if len(cloud) < self.points and not self.unequal:
            raise DataError(
                f"the cloud has {len(cloud)} points, fewer than the codec's {self.points}; codec.points={len(cloud)} "
                "takes fewer of all, codec.unequal=true pads"
            )


def _check_values(cloud: PointCloud) -> None:
    if len(cloud) == 0:
        raise DataError("the cloud has no points")
    if not all(np.isfinite(part).all() for part in (cloud.points, cloud.normals, cloud.colors) if part is not None):
        raise DataError("the cloud has values that are not finite (NaN or infinity)")


def _require(part: NDArray[np.float32] | None, name: str) -> None:
    if part is None:
        raise DataError(f"the cloud has no {name}; codec.{name}=false does without")


def _unit(normals: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring vectors to unit length; one of length zero, of no direction, becomes "up"."""
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    up = np.array([0, 1, 0], np.float32)
    unit: NDArray[np.float32] = np.where(length > 0, normals / np.where(length > 0, length, 1), up)
    return unit

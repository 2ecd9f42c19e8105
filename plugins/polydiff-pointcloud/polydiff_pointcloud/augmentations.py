"""Random changes to a point cloud that keep what it is; all are about the origin."""

from __future__ import annotations

from math import inf, log, pi
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from polydiff.errors import UsageError
from polydiff_pointcloud.cloud import PointCloud

_ANGLES = 4097
"""Of a table, which is then interpolated linearly."""


class Rotate:
    """Turn the cloud.

    Parameters
    ----------
    axis
        `up` turns it about the y axis, `any` about an axis of any direction.
    degrees
        By at most so much either way: uniformly by angle about `up`, and uniformly over rotations about `any`, which
        at 180 makes all orientations equally likely.
    """

    def __init__(self, axis: Literal["up", "any"] = "up", degrees: float = 180.0) -> None:
        if not 0 <= degrees <= 180:
            raise UsageError(f"degrees is {degrees:g}; it must be from 0 to 180")
        self.axis = axis
        self.degrees = degrees

    def __call__(self, content: PointCloud, rng: np.random.Generator) -> PointCloud:
        """Draw an axis and an angle, and turn points and normals."""
        most = np.deg2rad(self.degrees)
        if self.axis == "up":
            vector = np.array([0, rng.uniform(-most, most), 0])
        else:
            direction = rng.standard_normal(3)
            vector = direction / np.linalg.norm(direction) * _angle(most, rng.random())
        matrix = Rotation.from_rotvec(vector).as_matrix().T.astype(np.float32)
        normals = None if content.normals is None else content.normals @ matrix
        return PointCloud(content.points @ matrix, normals, content.colors)


class Scale:
    """Make the cloud larger or smaller.

    Parameters
    ----------
    low, high
        The factor, uniformly by its logarithm from one to the other.
    axes
        `same` scales all axes by one factor, `each` every axis by one of its own.
    """

    def __init__(self, low: float = 0.8, high: float = 1.25, axes: Literal["same", "each"] = "same") -> None:
        if not 0 < low <= high < inf:
            raise UsageError(f"low is {low:g} and high {high:g}; they go from low to high, above 0")
        self.low = low
        self.high = high
        self.axes = axes

    def __call__(self, content: PointCloud, rng: np.random.Generator) -> PointCloud:
        """Draw the factors; normals stay upright on what they were normals of."""
        logarithms = rng.uniform(log(self.low), log(self.high), 3 if self.axes == "each" else 1)
        factors: NDArray[np.float32] = np.exp(logarithms).astype(np.float32)
        normals = None if content.normals is None else content.normals / factors
        if normals is not None:
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        return PointCloud(content.points * factors, normals, content.colors)


class Jitter:
    """Move each point a little aside.

    Parameters
    ----------
    std
        The standard deviation in each direction, in the units of the cloud: 0.01 is a two-hundredth of the diameter of
        a unit sphere. Normals stay as they are.
    """

    def __init__(self, std: float = 0.01) -> None:
        if not 0 <= std < inf:
            raise UsageError(f"std is {std:g}; it must be at least 0")
        self.std = std

    def __call__(self, content: PointCloud, rng: np.random.Generator) -> PointCloud:
        """Draw a step for every point."""
        steps = rng.standard_normal(content.points.shape, dtype=np.float32) * np.float32(self.std)
        return PointCloud(content.points + steps, content.normals, content.colors)


class Dropout:
    """Leave points out.

    Parameters
    ----------
    most
        The share left out is drawn from 0 to this, uniformly; at least one point stays. The codec needs as many points
        as it encodes, so a source has to give 1 / (1 - most) times as many, unless the codec takes unequal clouds.
    """

    def __init__(self, most: float = 0.2) -> None:
        if not 0 <= most < 1:
            raise UsageError(f"most is {most:g}; it must be at least 0 and below 1")
        self.most = most

    def __call__(self, content: PointCloud, rng: np.random.Generator) -> PointCloud:
        """Draw how many points stay, and which."""
        count = len(content)
        stay = max(1, count - round(rng.uniform(0, self.most) * count))
        return content[np.sort(rng.choice(count, stay, replace=False, shuffle=False))]


def _angle(most: float, share: float) -> float:
    """Give the angle up to which lies such a share of all rotations by at most `most`, in radians.

    The angle of a uniformly distributed rotation has the density (1 - cos a) / pi (Miles, On random rotations in R^3,
    Biometrika 52, 1965), and so the distribution (a - sin a) / pi.
    """
    angles = np.linspace(0, min(most, pi), _ANGLES)
    shares = angles - np.sin(angles)
    return float(np.interp(share * shares[-1], shares, angles))

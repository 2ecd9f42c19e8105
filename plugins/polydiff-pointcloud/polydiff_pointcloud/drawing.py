"""One point cloud as a picture: every point a small lit ball, the nearer in front of the farther, above its shadow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from polydiff_pointcloud.cloud import PointCloud

Numbers = NDArray[np.floating[Any]]

Pixels = NDArray[np.float32]
"""(height, width, 3) in [0, 1], as they are shown."""

PAPER: Final = (241, 241, 243)

_HEIGHTS: Final = np.array([(62, 71, 168), (35, 148, 168), (96, 189, 130), (246, 196, 83)], np.float32) / 255
"""The colours of points without any, from the lowest to the highest."""

_FINER = 2
"""Pixels are computed so many times as fine in each direction, and averaged."""

_COARSER = 4
"""What is blurred is computed for every fourth of those."""

_DISTANCE = 4.0
"""From the camera to the middle of the frame, in radii of the frame: a mild perspective."""

_LIGHT: Final = np.array([-0.45, 0.72, 0.53], np.float32)
_AMBIENT, _DIFFUSE = 0.5, 0.62
_HAZE, _DARKENING, _SHADOW = 0.28, 0.55, 0.3
"""How much the farthest fades, what lies behind something darkens, and the floor darkens in shadow, at most."""


@dataclass(frozen=True, slots=True)
class View:
    """From where a shape is seen, in degrees: 0 and 0 is along z from the front."""

    azimuth: float
    elevation: float

    @property
    def rotation(self) -> NDArray[np.float32]:
        """(3, 3); rows are right, up and towards the camera."""
        a, e = math.radians(self.azimuth), math.radians(self.elevation)
        right = (math.cos(a), 0, -math.sin(a))
        up = (-math.sin(e) * math.sin(a), math.cos(e), -math.sin(e) * math.cos(a))
        towards = (math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a))
        return np.array([right, up, towards], np.float32)


@dataclass(frozen=True, slots=True)
class Frame:
    """The ball that fills a picture.

    Attributes
    ----------
    center
        (3,).
    radius
        Positive.
    ball
        The radius at which each point is drawn.
    """

    center: NDArray[np.float32]
    radius: float
    ball: float


def frame_of(cloud: PointCloud, radius: float | None = None) -> Frame:
    """Choose a frame around a cloud; a few points astray do not count.

    Parameters
    ----------
    radius
        Instead of the cloud's own, so that several compare.
    """
    low, high = np.percentile(cloud.points, [0.5, 99.5], axis=0)
    center = ((low + high) / 2).astype(np.float32)
    if radius is None:
        radius = radius_of(cloud)
    return Frame(center, radius, min(0.035, 1.15 / math.sqrt(len(cloud))) * radius)


def radius_of(cloud: PointCloud) -> float:
    """Measure a cloud from the middle of its box; a few points astray do not count."""
    low, high = np.percentile(cloud.points, [0.5, 99.5], axis=0)
    away = np.linalg.norm(cloud.points - (low + high) / 2, axis=1)
    return float(np.percentile(away, 99.5)) or 1.0


def render(cloud: PointCloud, frame: Frame, view: View, size: int) -> Image.Image:
    """Draw a cloud on a square of `size` pixels."""
    canvas = size * _FINER
    relative = (cloud.points - frame.center) / frame.radius
    at = relative @ view.rotation.T
    base = colors_of(cloud, frame)
    picture = _floor(relative, view, canvas)
    depth, owner, normals = _splat(at, frame.ball / frame.radius, canvas)
    seen = owner >= 0
    lit = _AMBIENT + _DIFFUSE * np.clip(normals[seen] @ _LIGHT, 0, None)
    color = np.clip(base[owner[seen]] * lit[:, None], 0, 1) * _darkening(depth, canvas)[seen][:, None]
    haze = _HAZE * np.clip((depth[seen] + 1) / 2, 0, 1)[:, None]
    picture[seen] = color * (1 - haze) + np.array(PAPER, np.float32) / 255 * haze
    image = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    return image.resize((size, size), Image.Resampling.BOX)


def colors_of(cloud: PointCloud, frame: Frame) -> NDArray[np.float32]:
    """Give the points' colours, (N, 3): their own, or those of their heights in the frame."""
    if cloud.colors is not None:
        return cloud.colors
    height = (cloud.points[:, 1] - frame.center[1]) / frame.radius
    place = (height.clip(-0.9, 0.9) + 0.9) / 1.8 * (len(_HEIGHTS) - 1)
    stops = np.arange(len(_HEIGHTS))
    return np.stack([np.interp(place, stops, channel) for channel in _HEIGHTS.T], 1).astype(np.float32)


def _project(at: Numbers, canvas: int) -> tuple[Numbers, Numbers]:
    """Give (N, 2) pixels and the pixels of a unit length there, (N,)."""
    scale = canvas / 2 * 0.95 * math.sqrt(_DISTANCE**2 - 1) / (_DISTANCE - at[:, 2]).clip(_DISTANCE / 2)
    return np.stack([canvas / 2 + at[:, 0] * scale, canvas / 2 - at[:, 1] * scale], 1), scale


def _splat(at: Numbers, ball: float, canvas: int) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Draw balls; the nearest wins each pixel.

    Returns
    -------
    depth
        (H, W), 1 for far and -1 for near; infinite where there is nothing.
    owner
        (H, W), which point is seen, or -1.
    normals
        (H, W, 3), of the balls.
    """
    place, scale = _project(at, canvas)
    radius = np.maximum(ball * scale, 1.0)
    reach = math.ceil(float(radius.max()))
    dy, dx = (each.ravel() for each in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    order = np.argsort(at[:, 2])  # of what is assigned to one pixel, the last, nearest ball remains
    place, radius, at = place[order], radius[order], at[order]
    corner = np.floor(place).astype(np.int64)
    column, row = corner[:, :1] + dx, corner[:, 1:] + dy
    u = (column + 0.5 - place[:, :1]) / radius[:, None]
    v = (place[:, 1:] - row - 0.5) / radius[:, None]
    inside = (u**2 + v**2 <= 1) & (column >= 0) & (column < canvas) & (row >= 0) & (row < canvas)
    point = np.broadcast_to(np.arange(len(at))[:, None], inside.shape)[inside]
    u, v = u[inside], v[inside]
    w = np.sqrt(np.clip(1 - u**2 - v**2, 0, 1))
    z = -(at[point, 2] + ball * w)
    pixel = row[inside] * canvas + column[inside]
    depth, owner = np.full(canvas * canvas, np.inf, np.float32), np.full(canvas * canvas, -1)
    normals = np.zeros((canvas * canvas, 3), np.float32)
    depth[pixel], owner[pixel], normals[pixel] = z, order[point], np.stack([u, v, w], 1)
    square = canvas, canvas
    return depth.reshape(square), owner.reshape(square), normals.reshape(*square, 3)


def _darkening(depth: NDArray[np.float32], canvas: int) -> NDArray[np.float32]:
    """Darken what lies behind its surroundings (Luft et al. 2006, Image enhancement by unsharp masking the depth
    buffer), (H, W).
    """
    filled = np.where(np.isfinite(depth), depth, np.float32(1))
    around = gaussian_filter(filled[::_COARSER, ::_COARSER], canvas / 40 / _COARSER)
    kept: NDArray[np.float32] = 1 - _DARKENING * np.clip(2.5 * (filled - _enlarged(around, canvas)), 0, 1)
    return kept


def _floor(relative: Numbers, view: View, canvas: int) -> Pixels:
    """Draw the paper with the shadow of a shape that stands on it, lit from above."""
    picture = np.empty((canvas, canvas, 3), np.float32)
    picture[:] = np.array(PAPER, np.float32) / 255
    if view.elevation <= 0:
        return picture
    on_floor = relative.copy()
    on_floor[:, 1] = max(float(np.percentile(relative[:, 1], 0.5)), -1) - 0.02
    side = canvas // _COARSER
    place, _ = _project(on_floor @ view.rotation.T, side)
    column, row = np.floor(place).astype(np.int64).T
    inside = (column >= 0) & (column < side) & (row >= 0) & (row < side)
    counts = np.bincount(row[inside] * side + column[inside], minlength=side * side).reshape(side, side)
    density = gaussian_filter(counts.astype(np.float32), side / 32) * side**2 / len(relative)
    shadow = _SHADOW * (1 - np.exp(-density / 12)) * _window(side)
    return picture * (1 - _enlarged(shadow, canvas))[..., None]


def _window(side: int) -> NDArray[np.float32]:
    """Fall to 0 at the edges of a square, and be 1 elsewhere."""
    from_edge = (np.minimum(np.arange(side), np.arange(side)[::-1]) / (side / 8)).clip(0, 1)
    return np.outer(from_edge, from_edge).astype(np.float32)


def _enlarged(field: NDArray[np.float32], canvas: int) -> NDArray[np.float32]:
    image = Image.fromarray(field.astype(np.float32))
    return np.asarray(image.resize((canvas, canvas), Image.Resampling.BILINEAR))

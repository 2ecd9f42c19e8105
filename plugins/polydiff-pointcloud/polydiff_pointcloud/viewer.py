"""Shapes that turn in a browser: HTML that needs no network, drawn by a short script on canvases."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.drawing import colors_of, frame_of

_STEPS = 16384
"""Coordinates are whole numbers of which so many make the radius of the frame; a point may lie twice as far out."""


def fragment(clouds: Sequence[PointCloud], captions: Sequence[str]) -> str:
    """Give figures that turn by themselves and by dragging, with the style and the script that they need.

    Parameters
    ----------
    clouds, captions
        As many of each; captions are plain text.

    Returns
    -------
    HTML to be placed once in a page's body; it stands on any background.
    """
    style, script = (resources.files(__package__).joinpath(name).read_text() for name in ("viewer.css", "viewer.js"))
    figures = "\n".join(_figure(*each) for each in zip(clouds, captions, strict=True))
    return f'<style>\n{style}</style>\n<div class="shapes">\n{figures}\n</div>\n<script>\n{script}</script>\n'


def _figure(cloud: PointCloud, caption: str) -> str:
    frame = frame_of(cloud)
    points = (cloud.points - frame.center) / frame.radius * _STEPS
    whole = np.rint(points).clip(-2 * _STEPS, 2 * _STEPS - 1).astype("<i2")
    colors = np.rint(255 * colors_of(cloud, frame)).astype(np.uint8)
    text = html.escape(caption)
    return (
        f'<figure><canvas role="img" tabindex="0" aria-label="{text}" data-ball="{frame.ball / frame.radius:.4f}" '
        f'data-points="{_encoded(whole)}" data-colors="{_encoded(colors)}"></canvas>'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _encoded(array: NDArray[np.int16] | NDArray[np.uint8]) -> str:
    return base64.b64encode(array.tobytes()).decode("ascii")

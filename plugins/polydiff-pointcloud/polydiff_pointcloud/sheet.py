"""Pictures of point clouds: many samples on one sheet, one sample as it comes about, and one that turns."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from polydiff.drawing import columns, gif, png, stages
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.drawing import PAPER, Frame, View, frame_of, radius_of, render

VIEWS: Final = (View(30, 18), View(150, 38))
"""From which a shape is seen on a sheet: from the front, and from behind and above."""

_TEXT, _FAINT = (58, 58, 64), (125, 125, 134)
_VIEW, _STRIP, _GIF = 168, 144, 288
"""Pixels of one view of a shape: on a sheet, a strip and in an animation."""

_GAP, _TEXT_SIZE, _SMALL_SIZE, _LINE = 12, 13, 11, 17
_CHARACTERS, _MOST_LINES = 46, 3
"""Of a caption, as many as fit the width when letters are not all capitals."""

_TURN = 36
"""Pictures of a whole turn."""


def contact_sheet(contents: Sequence[PointCloud], captions: Sequence[str]) -> bytes:
    """Lay shapes out in rows, each seen from two sides, with its caption and number of points below.

    All are on one scale, so that they compare. Captions that go round in turn, or come in runs of one length, set the
    number of columns: then every column, or every row, has a caption of its own.

    Returns
    -------
    A PNG.
    """
    radius = float(np.median([radius_of(cloud) for cloud in contents]))
    texts = [textwrap.wrap(each, _CHARACTERS, max_lines=_MOST_LINES, placeholder=" …") for each in captions]
    text = _LINE * (1 + max(map(len, texts)))
    width = len(VIEWS) * _VIEW
    across, down = width + _GAP, _VIEW + text + _GAP
    per_row = columns(captions)
    rows = math.ceil(len(contents) / per_row)
    sheet = Image.new("RGB", (_GAP + per_row * across, _GAP + rows * down), PAPER)
    for place, (cloud, lines) in enumerate(zip(contents, texts, strict=True)):
        left, top = _GAP + place % per_row * across, _GAP + place // per_row * down
        frame = frame_of(cloud, radius)
        for number, view in enumerate(VIEWS):
            sheet.paste(render(cloud, frame, view, _VIEW), (left + number * _VIEW, top))
        sheet.paste(_label(lines, cloud, (width, text)), (left, top + _VIEW))
    return png(sheet)


def trajectory(contents: Sequence[PointCloud]) -> Mapping[str, bytes]:
    """Show the estimates of one sample, from noise to shape, all in the frame of the last.

    Returns
    -------
    "-strip.png": some of them side by side, the first and the last among them. ".gif": all of them, one after the
    other, resting on the last. "-turn.gif": the last, turning.
    """
    frame = frame_of(contents[-1])
    chosen = stages(contents)
    strip = Image.new("RGB", (len(chosen) * (_STRIP + _GAP) + _GAP, _STRIP + 2 * _GAP), PAPER)
    for place, cloud in enumerate(chosen):
        strip.paste(render(cloud, frame, VIEWS[0], _STRIP), (_GAP + place * (_STRIP + _GAP), _GAP))
    animation = [render(cloud, frame, VIEWS[0], _GIF) for cloud in contents]
    return {
        "-strip.png": png(strip),
        ".gif": gif(_in_256_colors(animation)),
        "-turn.gif": turntable(contents[-1], frame),
    }


def turntable(content: PointCloud, frame: Frame | None = None) -> bytes:
    """Turn a shape about its upright axis, for ever.

    Returns
    -------
    A GIF.
    """
    inside = frame_of(content) if frame is None else frame
    start, elevation = VIEWS[0].azimuth, VIEWS[0].elevation
    angles = [start + 360 * i / _TURN for i in range(_TURN)]
    return gif(_in_256_colors([render(content, inside, View(angle, elevation), _GIF) for angle in angles]), rest=False)


def _in_256_colors(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """Give all pictures the palette of the last: nothing flickers, and it is found once."""
    palette = frames[-1].quantize(256)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]


def _label(caption: Sequence[str], cloud: PointCloud, size: tuple[int, int]) -> Image.Image:
    """Write what a shape is and of how many points; what does not fit is cut off."""
    label = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(label)
    for number, line in enumerate(caption):
        pen.text((size[0] / 2, _LINE * (number + 0.8)), line, _TEXT, _typeface(_TEXT_SIZE), anchor="ms")
    points = f"{len(cloud):,} point{'s' * (len(cloud) > 1)}"
    pen.text((size[0] / 2, _LINE * (len(caption) + 0.8)), points, _FAINT, _typeface(_SMALL_SIZE), anchor="ms")
    return label


@cache
def _typeface(size: int) -> ImageFont.FreeTypeFont:
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(io.BytesIO(file.read_bytes()), size, layout_engine=ImageFont.Layout.BASIC)

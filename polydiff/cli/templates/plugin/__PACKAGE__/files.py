"""Curves as files, and pictures of curves."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Curve = NDArray[np.float32]

_WIDTH, _HEIGHT, _LINE = 160, 100, 16
_FRAME_MS, _LAST_FRAME_MS = 120, 1500


def txt(content: Curve, metadata: Mapping[str, str]) -> bytes:
    """Write a number a line, below a comment with what is to be remembered."""
    lines = [f"# {json.dumps(dict(metadata))}", *map(str, content.tolist())]
    return "\n".join([*lines, ""]).encode()


def preview(contents: Sequence[Curve], captions: Sequence[str]) -> bytes:
    """Draw curves in rows, each with its caption below: a PNG."""
    return _png(_sheet(contents, captions, columns=math.ceil(math.sqrt(len(contents)))))


def trajectory(contents: Sequence[Curve]) -> dict[str, bytes]:
    """Draw the estimates of one curve from noise to data: side by side, and as an animation."""
    first, *more = (_plot(curve) for curve in contents)
    gif = io.BytesIO()
    pauses = [*[_FRAME_MS] * len(more), _LAST_FRAME_MS]
    first.save(gif, "GIF", save_all=True, append_images=more, duration=pauses, loop=0)
    strip = _sheet(contents, [""] * len(contents), columns=len(contents))
    return {"-strip.png": _png(strip), ".gif": gif.getvalue()}


def _sheet(curves: Sequence[Curve], captions: Sequence[str], columns: int) -> Image.Image:
    rows = math.ceil(len(curves) / columns)
    sheet = Image.new("L", (columns * _WIDTH, rows * (_HEIGHT + _LINE)), 255)
    pen = ImageDraw.Draw(sheet)
    for place, (curve, caption) in enumerate(zip(curves, captions, strict=True)):
        left, top = place % columns * _WIDTH, place // columns * (_HEIGHT + _LINE)
        sheet.paste(_plot(curve), (left, top))
        pen.text((left + 4, top + _HEIGHT), caption, fill=96)
    return sheet


def _plot(curve: Curve) -> Image.Image:
    """Draw a curve between -2 and 2; what lies beyond is outside the picture."""
    picture = Image.new("L", (_WIDTH, _HEIGHT), 255)
    across = np.linspace(4, _WIDTH - 5, len(curve))
    down = np.nan_to_num(_HEIGHT / 2 * (1 - curve / 2)).clip(-_HEIGHT, 2 * _HEIGHT)
    pen = ImageDraw.Draw(picture)
    pen.line([0, _HEIGHT // 2, _WIDTH, _HEIGHT // 2], fill=224)
    pen.line(list(zip(across.tolist(), down.tolist(), strict=True)), fill=0, width=2)
    return picture


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()

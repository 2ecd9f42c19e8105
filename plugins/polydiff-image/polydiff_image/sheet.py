"""Pictures of pictures: many samples on one sheet, and one sample as it comes about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from polydiff.drawing import columns, gif, png, stages
from polydiff_image.fonts import find_font, typeface

_PAPER, _TEXT = "#f1f1f3", "#3a3a40"
_GAP = 8
_SMALLEST, _LARGEST = 96, 256
_TEXT_SIZE, _LINE, _MOST_LINES = 13, 17, 3


def contact_sheet(contents: Sequence[Image.Image], captions: Sequence[str]) -> bytes:
    """Lay pictures out in rows, each with its caption below.

    Small pictures are enlarged pixel by pixel, large ones reduced. Captions that go round in turn, or come in runs of
    one length, set the number of columns: then every column, or every row, has a caption of its own.

    Returns
    -------
    A PNG.
    """
    shown = [_visible(content) for content in contents]
    width, height = max(picture.width for picture in shown), max(picture.height for picture in shown)
    font = typeface(find_font("DejaVuSans"), _TEXT_SIZE)
    texts = [_wrap(caption, font, width) for caption in captions]
    text_height = _LINE * max(len(lines) for lines in texts)
    across, down = width + _GAP, height + text_height + _GAP
    per_row = columns(captions)
    rows = math.ceil(len(shown) / per_row)
    sheet = Image.new("RGB", (per_row * across + _GAP, rows * down + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (picture, lines) in enumerate(zip(shown, texts, strict=True)):
        left, top = _GAP + place % per_row * across, _GAP + place // per_row * down
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
        for number, line in enumerate(lines):
            pen.text((left + width / 2, top + height + _LINE * (number + 0.8)), line, _TEXT, font, anchor="ms")
    return png(sheet)


def trajectory(contents: Sequence[Image.Image]) -> Mapping[str, bytes]:
    """Show the estimates of one sample, from noise to data.

    Returns
    -------
    "-strip.png": some of them side by side, the first and the last among them. ".gif": all of them, one after the
    other, resting on the last.
    """
    shown = [_visible(content) for content in contents]
    chosen = stages(shown)
    width, height = shown[0].size
    strip = Image.new("RGB", (len(chosen) * (width + _GAP) + _GAP, height + 2 * _GAP), _PAPER)
    for place, picture in enumerate(chosen):
        strip.paste(picture, (_GAP + place * (width + _GAP), _GAP))
    return {"-strip.png": png(strip), ".gif": gif(shown)}


def _visible(content: Image.Image) -> Image.Image:
    """Bring a picture to a size fit for a sheet, on white where it is transparent."""
    longest = max(content.size)
    if longest > _LARGEST:
        scale = _LARGEST / longest
        resample = Image.Resampling.LANCZOS
    else:
        scale = max(1, math.ceil(_SMALLEST / longest))
        resample = Image.Resampling.NEAREST
    size = max(1, round(content.width * scale)), max(1, round(content.height * scale))
    picture = content.resize(size, resample)
    if picture.mode == "RGBA":
        white = Image.new("RGBA", size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")


def _wrap(caption: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
    """Break a caption into lines that fit, the last of which ends in an ellipsis where something is left out."""
    lines: list[str] = []
    for word in caption.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > _MOST_LINES:
        lines[_MOST_LINES - 1 :] = [" ".join(lines[_MOST_LINES - 1 :])]
    return [_shorten(line, font, width) for line in lines]


def _shorten(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip()}…"

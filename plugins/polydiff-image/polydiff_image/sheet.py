"""Pictures of pictures: many samples on one sheet, and one sample as it comes about."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from polydiff_image.fonts import find_font, typeface

_PAPER, _TEXT = "#f1f1f3", "#3a3a40"
_GAP = 8
_SMALLEST, _LARGEST = 96, 256
_TEXT_SIZE, _LINE, _MOST_LINES = 13, 17, 3
_STRIP_FRAMES = 10
_GIF_SECONDS, _GIF_REST_SECONDS = 2.5, 1.5


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
    columns = _columns(captions)
    rows = math.ceil(len(shown) / columns)
    sheet = Image.new("RGB", (columns * across + _GAP, rows * down + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for place, (picture, lines) in enumerate(zip(shown, texts, strict=True)):
        left, top = _GAP + place % columns * across, _GAP + place // columns * down
        sheet.paste(picture, (left + (width - picture.width) // 2, top + (height - picture.height) // 2))
        for number, line in enumerate(lines):
            pen.text((left + width / 2, top + height + _LINE * (number + 0.8)), line, _TEXT, font, anchor="ms")
    return _png(sheet)


def trajectory(contents: Sequence[Image.Image]) -> Mapping[str, bytes]:
    """Show the estimates of one sample, from noise to data.

    Returns
    -------
    "-strip.png": some of them side by side, the first and the last among them. ".gif": all of them, one after the
    other, resting on the last.
    """
    shown = [_visible(content) for content in contents]
    count = min(_STRIP_FRAMES, len(shown))
    chosen = [shown[round(i * (len(shown) - 1) / max(1, count - 1))] for i in range(count)]
    width, height = shown[0].size
    strip = Image.new("RGB", (count * (width + _GAP) + _GAP, height + 2 * _GAP), _PAPER)
    for place, picture in enumerate(chosen):
        strip.paste(picture, (_GAP + place * (width + _GAP), _GAP))
    return {"-strip.png": _png(strip), ".gif": _gif(shown)}


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


def _columns(captions: Sequence[str]) -> int:
    """Make the sheet about as wide as high, by whole periods where the captions have one."""
    square = math.sqrt(len(captions))
    period = _period(captions)
    return period * max(1, round(square / period)) if period else math.ceil(square)


def _period(captions: Sequence[str]) -> int | None:
    """Count the captions that go round in turn, or the length of runs of one caption; `None` when they do neither."""
    count, distinct = len(captions), len(set(captions))
    if 1 < distinct < count and all(captions[i] == captions[i - distinct] for i in range(distinct, count)):
        return distinct
    run = count // distinct
    runs = [captions[start : start + run] for start in range(0, count, run)]
    return run if run * distinct == count and 1 < run < count and all(len(set(each)) == 1 for each in runs) else None


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


def _png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _gif(frames: Sequence[Image.Image]) -> bytes:
    pause = round(1000 * _GIF_SECONDS / len(frames) / 10) * 10  # a GIF counts hundredths of a second
    durations = [max(20, pause)] * (len(frames) - 1) + [round(1000 * _GIF_REST_SECONDS)]
    file = io.BytesIO()
    first, *others = frames
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return file.getvalue()

"""Pictures of sounds: many samples on one sheet, and one sample as it comes about."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from polydiff.drawing import columns, gif, png, stages
from polydiff_audio.drawing import COLOURS, QUIETEST, Pixels, row_of, spectrogram, waveform
from polydiff_audio.levels import peak_db
from polydiff_audio.sound import Audible

_PAPER, _TEXT, _FAINT = (241, 241, 243), (58, 58, 64), (125, 125, 134)
_WIDTH, _WAVE, _SPECTRUM, _INNER = 240, 48, 120, 2
"""Pixels of a sound on a sheet: the width of both pictures, their heights, and the gap between them."""

_GAP, _MARGIN, _FOOT = 12, 36, 30
"""Pixels between sounds, for the frequencies on the left, and for the scale of colours at the bottom."""

_TEXT_SIZE, _SMALL_SIZE, _LINE = 13, 11, 17
_CHARACTERS, _MOST_LINES = 34, 3
"""Of a caption, as many as fit the width when letters are not all capitals."""

_MARKS = {500: "500", 1000: "1k", 2000: "2k", 4000: "4k", 8000: "8k", 16000: "16k"}
_STRIP_WIDTH, _GIF_WIDTH = 140, 360


def contact_sheet(contents: Sequence[Audible], captions: Sequence[str]) -> bytes:
    """Lay sounds out in rows: waveform, spectrogram, and below them caption, duration and peak level.

    All are on one scale of time, frequency and level, so that they compare. Captions that go round in turn, or come
    in runs of one length, set the number of columns: then every column, or every row, has a caption of its own.

    Returns
    -------
    A PNG.
    """
    longest, highest = max(map(_seconds, contents)), max(sound.rate for sound in contents) / 2
    texts = [textwrap.wrap(each, _CHARACTERS, max_lines=_MOST_LINES, placeholder=" …") for each in captions]
    picture, text = _WAVE + _INNER + _SPECTRUM, _LINE * (1 + max(map(len, texts)))
    across, down = _WIDTH + _GAP, picture + text + _GAP
    per_row = columns(captions)
    rows = math.ceil(len(contents) / per_row)
    sheet = Image.new("RGB", (_MARGIN + per_row * across, _GAP + rows * down + _FOOT), _PAPER)
    for place, (sound, lines) in enumerate(zip(contents, texts, strict=True)):
        left, top = _MARGIN + place % per_row * across, _GAP + place // per_row * down
        sheet.paste(Image.fromarray(_panel(sound, longest, highest, _WIDTH)), (left, top))
        sheet.paste(_label(lines, sound, (_WIDTH, text)), (left, top + picture))
    for row in range(rows):
        _mark_frequencies(sheet, _GAP + row * down + _WAVE + _INNER, highest)
    _draw_key(sheet)
    return png(sheet)


def trajectory(contents: Sequence[Audible]) -> Mapping[str, bytes]:
    """Show the estimates of one sample, from noise to sound, on the scales of a sheet.

    Returns
    -------
    "-strip.png": some of them side by side, the first and the last among them. ".gif": all of them, one after the
    other, resting on the last.
    """
    chosen = stages(contents)
    size = len(chosen) * (_STRIP_WIDTH + _GAP) + _GAP, _WAVE + _INNER + _SPECTRUM + 2 * _GAP
    strip = Image.new("RGB", size, _PAPER)
    for place, sound in enumerate(chosen):
        strip.paste(_alone(sound, _STRIP_WIDTH), (_GAP + place * (_STRIP_WIDTH + _GAP), _GAP))
    return {"-strip.png": png(strip), ".gif": gif([_alone(sound, _GIF_WIDTH) for sound in contents])}


def _alone(sound: Audible, width: int) -> Image.Image:
    return Image.fromarray(_panel(sound, _seconds(sound), sound.rate / 2, width))


def _panel(sound: Audible, longest: float, highest: float, width: int) -> Pixels:
    """Draw a sound on a panel that `longest` seconds fill from left to right, and `highest` Hz from top to bottom."""
    drawn = max(1, round(width * _seconds(sound) / longest))
    samples = sound.samples
    panel = np.full((_WAVE + _INNER + _SPECTRUM, width, 3), _PAPER, np.uint8)
    panel[:_WAVE, :drawn] = waveform(samples, drawn, _WAVE)
    panel[-_SPECTRUM:, :drawn] = spectrogram(samples, sound.rate, drawn, _SPECTRUM, highest)
    return panel


def _label(caption: Sequence[str], sound: Audible, size: tuple[int, int]) -> Image.Image:
    """Write what a sound is, how long and how loud; what does not fit is cut off."""
    label = Image.new("RGB", size, _PAPER)
    pen = ImageDraw.Draw(label)
    for number, line in enumerate(caption):
        pen.text((0, _LINE * (number + 0.8)), line, _TEXT, _typeface(_TEXT_SIZE), anchor="ls")
    facts = f"{_seconds(sound):.2f} s   {_level(sound)}"
    pen.text((0, _LINE * (len(caption) + 0.8)), facts, _FAINT, _typeface(_SMALL_SIZE), anchor="ls")
    return label


def _level(sound: Audible) -> str:
    if not np.isfinite(sound.samples).all():
        return "holds what is no number"
    peak = peak_db(sound)
    return "silent" if peak == -math.inf else f"peak {peak:+.1f} dB"


def _mark_frequencies(sheet: Image.Image, top: int, highest: float) -> None:
    """Write frequencies at their heights to the left of a row whose spectrograms begin at `top`."""
    pen, font = ImageDraw.Draw(sheet), _typeface(_SMALL_SIZE)
    for frequency, text in _MARKS.items():
        if frequency <= highest:
            y = top + round(row_of(frequency, _SPECTRUM, highest))
            pen.line((_MARGIN - 5, y, _MARGIN - 2, y), _FAINT)
            pen.text((_MARGIN - 8, max(y, top + 4)), text, _FAINT, font, anchor="rm")


def _draw_key(sheet: Image.Image) -> None:
    """Tell at the bottom of a sheet what colours mean."""
    pen, font = ImageDraw.Draw(sheet), _typeface(_SMALL_SIZE)
    low = f"{QUIETEST:.0f} dB"
    bar = Image.fromarray(COLOURS[None, ::2].repeat(8, 0))
    left, middle = _MARGIN + round(font.getlength(low)) + 6, sheet.height - _FOOT // 2 - 2
    sheet.paste(bar, (left, middle - 4))
    pen.text((_MARGIN, middle), low, _FAINT, font, anchor="lm")
    pen.text((left + bar.width + 6, middle), "0 dB: a sine at full scale", _FAINT, font, anchor="lm")


def _seconds(sound: Audible) -> float:
    return sound.frames / sound.rate


@cache
def _typeface(size: int) -> ImageFont.FreeTypeFont:
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(io.BytesIO(file.read_bytes()), size, layout_engine=ImageFont.Layout.BASIC)

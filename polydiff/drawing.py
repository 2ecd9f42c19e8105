"""What the pictures of every modality share: sheets of samples, strips and animations of one."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TypeVar

from PIL import Image

STRIP_FRAMES = 10
"""How many stages of a sample a strip shows."""

_GIF_SECONDS, _GIF_REST_SECONDS, _GIF_LOOP_SECONDS = 2.5, 1.5, 3.6

_COMPRESSION = 3
"""Of PNGs: noise takes three times as long at zlib's own choice, 6, and comes out as large."""

T = TypeVar("T")


class Captions(list[str]):
    """Captions of a sheet whose number of columns is given."""

    def __init__(self, texts: Sequence[str], columns: int) -> None:
        super().__init__(texts)
        self.columns = columns


def columns(captions: Sequence[str]) -> int:
    """Choose the columns of a sheet that is about as wide as high, by whole periods where its captions have one.

    Captions that go round in turn, or come in runs of one length, then have a column, or a row, of their own. Those
    whose columns are given have these.
    """
    if isinstance(captions, Captions):
        return captions.columns
    square = math.sqrt(len(captions))
    period = _period(captions)
    return period * max(1, round(square / period)) if period else math.ceil(square)


def stages(contents: Sequence[T]) -> list[T]:
    """Choose what a strip shows, evenly from the first to the last."""
    count = min(STRIP_FRAMES, len(contents))
    return [contents[round(i * (len(contents) - 1) / max(1, count - 1))] for i in range(count)]


def png(picture: Image.Image) -> bytes:
    """Give a picture as a PNG."""
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def gif(frames: Sequence[Image.Image], *, rest: bool = True) -> bytes:
    """Show pictures of one size one after the other, for some seconds in all, for ever.

    Parameters
    ----------
    rest
        On the last; without it they go round evenly.
    """
    seconds = _GIF_SECONDS if rest else _GIF_LOOP_SECONDS
    pause = max(20, round(1000 * seconds / len(frames) / 10) * 10)  # a GIF counts hundredths of a second
    durations = [pause] * (len(frames) - 1) + [round(1000 * _GIF_REST_SECONDS) if rest else pause]
    file = io.BytesIO()
    first, *others = frames
    first.save(file, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return file.getvalue()


def _period(captions: Sequence[str]) -> int | None:
    """Count the captions that go round in turn, or the length of runs of one caption; `None` when they do neither."""
    count, distinct = len(captions), len(set(captions))
    if 1 < distinct < count and all(captions[i] == captions[i - distinct] for i in range(distinct, count)):
        return distinct
    run = count // distinct
    runs = [captions[start : start + run] for start in range(0, count, run)]
    return run if run * distinct == count and 1 < run < count and all(len(set(each)) == 1 for each in runs) else None

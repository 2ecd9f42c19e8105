"""Fonts: the DejaVu family, which comes with matplotlib, and any other by its path."""

from __future__ import annotations

import importlib.util
import io
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, get_args

from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
from PIL import Image, ImageDraw, ImageFont

from polydiff.errors import DataError, unknown
from polydiff.plugins.records import in_one_line

DejaVu = Literal[
    "DejaVuSans",
    "DejaVuSans-Bold",
    "DejaVuSans-BoldOblique",
    "DejaVuSans-Oblique",
    "DejaVuSansMono",
    "DejaVuSansMono-Bold",
    "DejaVuSansMono-BoldOblique",
    "DejaVuSansMono-Oblique",
    "DejaVuSerif",
    "DejaVuSerif-Bold",
    "DejaVuSerif-BoldItalic",
    "DejaVuSerif-Italic",
]
DEJAVU: tuple[DejaVu, ...] = get_args(DejaVu)

_LINES = 0.1, 20.0
"""Ems from the top of a line to its bottom; what a font says beyond is broken, and would be drawn at an absurd size."""

_WIDEST = 32
"""Ems that a character takes at most; the widest of Unicode, U+FDFD, takes some ten."""


@cache
def typeface(path: Path, size: float) -> ImageFont.FreeTypeFont:
    """Open a font at so many pixels an em and keep it.

    It is read into memory: an open file would have its position shared by the loading processes. Text is laid out
    glyph by glyph, which is the same with and without the Raqm library.
    """
    return ImageFont.truetype(io.BytesIO(path.read_bytes()), size, layout_engine=ImageFont.Layout.BASIC)


def find_font(font: DejaVu | Path) -> Path:
    """Give the file of a font.

    Raises
    ------
    DataError
        When there is no such file.
    """
    if font not in DEJAVU:
        path = Path(font).expanduser()
        if not path.is_file():
            raise DataError(f"there is no font file {path}" if path.suffix else unknown("font", path.name, DEJAVU))
        return path
    spec = importlib.util.find_spec("matplotlib")  # found, not imported: that takes a second
    assert spec is not None, "polydiff-image requires matplotlib"
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{font}.ttf"


@dataclass(frozen=True, slots=True)
class Face:
    """A font made ready to draw single characters into squares of one size.

    Attributes
    ----------
    name
        "DejaVu Sans Bold".
    em
        Pixels an em at which it is drawn: what fits the square, or the strike that a bitmap font has nearest to it.
    scale
        From what is drawn to what fits the square.
    baseline
        How far it lies below the square's upper edge, in the square's pixels.
    characters
        Those that the font has.
    """

    path: Path
    name: str
    em: float
    scale: float
    baseline: float
    coloured: bool
    characters: frozenset[str]

    def ink(self, character: str) -> tuple[Image.Image, int] | None:
        """Draw a character at `em`, black on nothing.

        Returns
        -------
        What it covers, of mode LA or (a coloured font's) RGBA, and how far it rises above the baseline; `None` for a
        blank.

        Raises
        ------
        DataError
            When the font is broken there.
        """
        try:
            return self._ink(character)
        except OSError as error:  # FreeType's
            raise DataError(f"{self.path}: the character U+{ord(character):04X} cannot be drawn: {error}") from error

    def _ink(self, character: str) -> tuple[Image.Image, int] | None:
        font = typeface(self.path, self.em)
        left, top, right, bottom = font.getbbox(character, anchor="ls")
        if max(right - left, bottom - top) > _WIDEST * self.em:
            raise DataError(f"{self.path}: the character U+{ord(character):04X} takes more than {_WIDEST} ems")
        room = 1 + round(self.em / 4)  # that box leaves out what smoothing and slant add
        size = math.ceil(right - left) + 2 * room, math.ceil(bottom - top) + 2 * room
        canvas = Image.new("RGBA" if self.coloured else "LA", size)
        origin = room - math.floor(left), room - math.floor(top)
        ImageDraw.Draw(canvas).text(origin, character, "black", font, anchor="ls", embedded_color=self.coloured)
        box = canvas.getchannel("A").getbbox()
        return None if box is None else (canvas.crop(box), origin[1] - box[1])


def open_face(path: Path, size: int) -> Face:
    """Make a font ready for squares of `size` pixels a side, of which a sixteenth at each edge stays free.

    Raises
    ------
    DataError
        When the file is no font, or one whose colours FreeType cannot draw (COLR version 1, SVG).
    """
    try:
        with TTFont(io.BytesIO(path.read_bytes()), fontNumber=0, lazy=True) as font:
            per_em = font["head"].unitsPerEm
            ascent, descent = font["hhea"].ascent / per_em, -font["hhea"].descent / per_em
            strikes = _strikes(font)
            layered = "COLR" in font
            if not strikes and ((layered and font["COLR"].version > 0) or "SVG " in font):
                raise DataError(f"{path}: its colours are in a form that FreeType does not draw (COLR 1 or SVG)")
            characters = frozenset(map(chr, font.getBestCmap() or ()))
        if not _LINES[0] <= ascent + descent <= _LINES[1]:
            raise DataError(f"{path}: is a broken font: its lines are {ascent + descent:g} ems high")
        em = size * 7 / 8 / (ascent + descent)
        drawn = min(strikes, key=lambda strike: (strike < em, abs(strike - em))) if strikes else em
        name = " ".join(part for part in typeface(path, drawn).getname() if part)
    except DataError:
        raise
    except Exception as error:  # fontTools raises almost anything on a broken table
        raise DataError(f"{path}: is no font that can be read: {in_one_line(error)}") from error
    baseline = size / 16 + ascent * em
    return Face(path, name, drawn, em / drawn, baseline, bool(strikes) or layered, characters)


def _strikes(font: TTFont) -> list[int]:
    """Give the sizes, in pixels an em, of a font made of bitmaps."""
    if "CBLC" in font:
        return [strike.bitmapSizeTable.ppemY for strike in font["CBLC"].strikes]
    return [ppem for ppem in font["sbix"].strikes if ppem] if "sbix" in font else []

"""Pictures of characters with their names as captions: text-image pairs that need no download."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from PIL import Image

from polydiff.data.example import Example
from polydiff.errors import DataError, UsageError
from polydiff_image.characters import category, name, select
from polydiff_image.fonts import DEJAVU, DejaVu, Face, find_font, open_face

LATIN_GREEK_CYRILLIC = ("U+0021-U+007E", "U+00A1-U+017F", "U+0370-U+03FF", "U+0400-U+045F")


class Glyphs:
    """Characters of fonts, black on white (emoji fonts in their colours), all at one scale and on one baseline.

    The caption is the character's Unicode name ("latin small letter a"), the label its category ("lowercase
    letter"); attributes are `character` and `font`. What a font does not have, or has as a blank, is left out.

    Parameters
    ----------
    size
        Side of the pictures, in pixels.
    fonts
        Files of TrueType, OpenType or colour-emoji fonts, or names of DejaVu fonts, which are always there.
    characters
        Ranges ("a-z", "U+0370-U+03FF") and texts, each character of which is meant ("0123456789").
    categories
        Only characters of these Unicode categories, in words ("uppercase letter"); all when not given.
    apart
        Every character is kept from every so many-th font in training, and every font so from characters, in turn: 6
        keeps apart a sixth of the pairs. 0 shows all.
    part
        "train": without the pairs that are kept apart; "held-out": these alone; "all" makes no difference.

    Raises
    ------
    DataError
        When a font is missing, broken, of a kind that cannot be drawn, or has none of the characters.
    """

    unreadable: Sequence[str] = ()

    def __init__(
        self,
        size: int = 32,
        fonts: tuple[DejaVu | Path, ...] = DEJAVU,
        characters: tuple[str, ...] = LATIN_GREEK_CYRILLIC,
        categories: tuple[str, ...] | None = None,
        apart: int = 0,
        part: Literal["train", "held-out", "all"] = "train",
    ) -> None:
        if apart < 0 or apart == 1 or (part == "held-out" and not apart):
            raise UsageError(f"glyphs of the part '{part}' with apart={apart} are none; say apart=6, or 0 for all")
        self.size = size
        meant = select(characters, categories)
        self._glyphs: list[tuple[Face, str]] = []
        for place, font in enumerate(fonts):
            face = open_face(find_font(font), size)
            drawn = [(face, character) for character in meant if character in face.characters and face.ink(character)]
            if not drawn:
                raise DataError(f"font {face.name} has none of the characters asked for")
            numbers = {character: number for number, character in enumerate(meant)}
            kept_apart = {each for each in drawn if apart and (numbers[each[1]] + place) % apart == 0}
            self._glyphs += [each for each in drawn if part == "all" or (each in kept_apart) == (part == "held-out")]
        self.classes: Sequence[str] = sorted({category(character) for _, character in self._glyphs})

    def __len__(self) -> int:
        return len(self._glyphs)

    def __getitem__(self, index: int) -> Example:
        """Draw a character."""
        face, character = self._glyphs[index]
        return Example(
            draw(face, character, self.size),
            self.name(index),
            category(character),
            name(character),
            {"character": character, "font": face.name},
        )

    def name(self, index: int) -> str:
        """Give "U+0061 of DejaVu Sans Bold"."""
        face, character = self._glyphs[index]
        return f"U+{ord(character):04X} of {face.name}"

    def label(self, index: int) -> str:
        """Give the character's category in words."""
        return category(self._glyphs[index][1])


def draw(face: Face, character: str, size: int) -> Image.Image:
    """Draw a character on a white square: its ink centred, on the face's baseline, shrunk where it would protrude.

    Returns
    -------
    A picture of mode L, or RGB from a coloured font.
    """
    drawn = face.ink(character)
    assert drawn is not None, "a blank"
    ink, rise = drawn
    scale = min(face.scale, size / ink.width, size / ink.height)
    if scale != 1:
        scaled = max(1, round(ink.width * scale)), max(1, round(ink.height * scale))
        ink = ink.resize(scaled, Image.Resampling.LANCZOS)
    top = round(face.baseline - rise * scale)
    place = (size - ink.width) // 2, min(max(top, 0), size - ink.height)
    square = Image.new("RGB" if face.coloured else "L", (size, size), "white")
    square.paste(ink.convert(square.mode), place, ink.getchannel("A"))
    return square

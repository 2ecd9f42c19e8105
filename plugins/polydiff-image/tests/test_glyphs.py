"""Characters of fonts as pictures with captions."""

import io
from pathlib import Path

import numpy as np
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import newTable
from fontTools.ttLib.tables import BitmapGlyphMetrics
from fontTools.ttLib.tables.C_B_D_T_ import cbdt_bitmap_format_17
from fontTools.ttLib.tables.E_B_L_C_ import BitmapSizeTable, SbitLineMetrics, Strike, eblc_index_sub_table_1
from fontTools.ttLib.tables.sbixGlyph import Glyph
from fontTools.ttLib.tables.sbixStrike import Strike as SbixStrike
from PIL import Image
from polydiff_image.fonts import DEJAVU, find_font, open_face
from polydiff_image.glyphs import Glyphs

from polydiff.data.source import Source
from polydiff.errors import DataError, UsageError

LETTERS = (".notdef", "square", "wide", "blank", "inner")
FACE = "\U0001f600"


def box(left, bottom, right, top):
    pen = TTGlyphPen(None)
    pen.moveTo((left, bottom))
    for point in ((left, top), (right, top), (right, bottom)):
        pen.lineTo(point)
    pen.closePath()
    return pen.glyph()


def builder():
    """Start a font of 1,000 units an em, ascending 750 and descending 250, whose glyphs are rectangles."""
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(list(LETTERS))
    font.setupCharacterMap({ord("A"): "square", ord("W"): "wide", ord("B"): "blank", ord(FACE): "square"})
    font.setupGlyf(
        {
            ".notdef": box(0, 0, 100, 100),
            "square": box(0, 0, 500, 500),
            "wide": box(0, 0, 4000, 500),
            "blank": TTGlyphPen(None).glyph(),
            "inner": box(125, 125, 375, 375),
        }
    )
    font.setupHorizontalMetrics({name: (500, 125 if name == "inner" else 0) for name in LETTERS})
    font.setupHorizontalHeader(ascent=750, descent=-250)
    font.setupNameTable({"familyName": "Boxes", "styleName": "Plain"})
    font.setupOS2()
    font.setupPost()
    return font


def smiley(side):
    """Give the bytes of a PNG whose left half is red and right half green."""
    picture = Image.new("RGBA", (side, side), (0, 200, 0, 255))
    picture.paste((255, 0, 0, 255), (0, 0, side // 2, side))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def layered(font):
    font.setupCOLR({"square": [("square", 0), ("inner", 1)]}, version=0)
    font.setupCPAL([[(1, 0, 0, 1), (0, 0, 1, 1)]])


def layered_by_gradients(font):
    font.setupCOLR(
        {"square": {"Format": 10, "Glyph": "square", "Paint": {"Format": 2, "PaletteIndex": 0, "Alpha": 1}}}, version=1
    )
    font.setupCPAL([[(1, 0, 0, 1)]])


def apples_bitmaps(font):
    table = newTable("sbix")
    table.version, table.flags, table.strikes = 1, 1, {}
    for ppem in (32, 64):
        table.strikes[ppem] = SbixStrike(ppem=ppem, resolution=72)
        for name in LETTERS:
            drawn = {"graphicType": "png ", "imageData": smiley(ppem)} if name == "square" else {}
            table.strikes[ppem].glyphs[name] = Glyph(glyphName=name, **drawn)
    font.font["sbix"] = table


def googles_bitmaps(font):
    """One strike of 64 pixels an em: CBLC says where in CBDT the PNG of "square" lies."""
    metrics = BitmapGlyphMetrics.SmallGlyphMetrics()
    metrics.height = metrics.width = metrics.BearingY = metrics.Advance = 64
    metrics.BearingX = 0
    glyph = cbdt_bitmap_format_17(b"", font.font)
    glyph.metrics, glyph.imageData = metrics, smiley(64)
    data, places = newTable("CBDT"), newTable("CBLC")
    data.version = places.version = 3.0
    data.strikeData = [{"square": glyph}]
    size = BitmapSizeTable()
    for line in ("hori", "vert"):
        measures = SbitLineMetrics()
        for field in ("caretSlopeNumerator", "caretSlopeDenominator", "caretOffset", "minOriginSB", "minAdvanceSB"):
            setattr(measures, field, 0)
        measures.ascender, measures.descender, measures.widthMax = 48, -16, 64
        measures.maxBeforeBL, measures.minAfterBL, measures.pad1, measures.pad2 = 64, 0, 0, 0
        setattr(size, line, measures)
    size.colorRef, size.flags, size.bitDepth, size.ppemX, size.ppemY = 0, 1, 32, 64, 64
    size.startGlyphIndex = size.endGlyphIndex = 1
    index = eblc_index_sub_table_1(b"", font.font)
    index.names, index.indexFormat, index.imageFormat = ["square"], 1, 17
    index.firstGlyphIndex = index.lastGlyphIndex = 1
    strike = Strike()
    strike.bitmapSizeTable, strike.indexSubTables = size, [index]
    places.strikes = [strike]
    font.font["CBDT"], font.font["CBLC"] = data, places
    del font.font["glyf"], font.font["loca"]


@pytest.fixture
def font(tmp_path):
    """Make a function that saves a font of rectangles, changed as asked, and gives its path."""

    def save(change=lambda font: None, name="boxes.ttf"):
        made = builder()
        change(made)
        made.save(tmp_path / name)
        return tmp_path / name

    return save


def test_the_default_has_every_letter_of_every_dejavu_font():
    source = Glyphs()
    assert isinstance(source, Source)
    assert {"uppercase letter", "lowercase letter", "decimal number", "math symbol"} <= set(source.classes)
    drawn = {(source[i].get("font"), source[i].get("character")) for i in range(len(source))}
    assert len(drawn) == len(source) > 5000
    assert len({font for font, _ in drawn}) == 12
    for font in {font for font, _ in drawn}:
        assert all((font, character) in drawn for character in "AZaz09ÄßΩЖ")


def test_an_example_says_what_it_shows():
    source = Glyphs(24, ("DejaVuSerif-Bold",), ("ß",))
    example = source[0]
    assert (example.caption, example.label) == ("latin small letter sharp s", "lowercase letter")
    assert example.name == source.name(0) == "U+00DF of DejaVu Serif Bold"
    assert example.attributes == {"character": "ß", "font": "DejaVu Serif Bold"}
    assert source.label(0) == "lowercase letter"
    assert (example.content.size, example.content.mode) == ((24, 24), "L")


def test_a_glyph_stands_at_its_scale_on_its_baseline(font):
    picture = np.asarray(Glyphs(64, (font(),), ("A",))[0].content)
    # Of 64 pixels 56 are an em (ascent + descent); the baseline is at 4 + 0.75 * 56 = 46, the square's side 28.
    expected = np.full((64, 64), 255)
    expected[18:46, 18:46] = 0
    assert np.array_equal(picture, expected)


def test_a_glyph_that_would_protrude_is_shrunk(font):
    picture = np.asarray(Glyphs(64, (font(),), ("W",))[0].content)
    assert (picture < 128).any(0).all()
    assert (picture < 128).any(1).sum() == 8


def test_blanks_and_characters_that_the_font_has_not_are_left_out(font):
    source = Glyphs(16, (font(),), ("A-Z",))
    assert [source[i].get("character") for i in range(len(source))] == ["A", "W"]


@pytest.mark.parametrize("name", DEJAVU)
def test_no_glyph_touches_all_edges_or_is_empty(name):
    source = Glyphs(32, (name,), ("U+0021-U+00FF",))
    for index in range(len(source)):
        picture = np.asarray(source[index].content)
        assert picture.min() < 160, source.name(index)
        assert picture[[0, -1]].min() == 255 or picture[:, [0, -1]].min() == 255, source.name(index)


def test_capitals_share_a_baseline():
    source = Glyphs(64, ("DejaVuSans",), ("EFHIT",))
    bottoms = {int(np.flatnonzero((np.asarray(source[i].content) < 128).any(1))[-1]) for i in range(len(source))}
    assert len(bottoms) == 1


def test_layers_are_drawn_in_their_colours(font):
    example = Glyphs(64, (font(layered),), ("A",))[0]
    assert example.content.mode == "RGB"
    picture = np.asarray(example.content)
    assert picture[20, 20].tolist() == [255, 0, 0]
    assert picture[32, 32].tolist() == [0, 0, 255]
    assert picture[5, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize("bitmaps", [apples_bitmaps, googles_bitmaps])
def test_bitmaps_are_drawn_in_their_colours_and_scaled(font, bitmaps):
    example = Glyphs(32, (font(bitmaps),), (FACE,))[0]
    assert (example.caption, example.content.size) == ("grinning face", (32, 32))
    picture = np.asarray(example.content).astype(int)
    inked = np.argwhere((picture != 255).any(2))
    assert (inked.max(0) - inked.min(0) + 1).tolist() == [28, 28]  # an em
    assert np.abs(picture[16, 6] - [255, 0, 0]).max() < 8
    assert np.abs(picture[16, 26] - [0, 200, 0]).max() < 8


def test_the_strike_next_above_is_taken(font):
    path = font(apples_bitmaps)
    assert [open_face(path, size).em for size in (16, 36, 40, 200)] == [32, 32, 64, 64]


def test_colours_that_cannot_be_drawn_are_refused(font):
    with pytest.raises(DataError, match=r"boxes\.ttf: its colours are in a form that FreeType does not draw"):
        Glyphs(32, (font(layered_by_gradients),), ("A",))


def test_a_font_without_the_characters_is_refused(font):
    with pytest.raises(DataError, match="font Boxes Plain has none of the characters"):
        Glyphs(32, (font(),), ("B-V",))


def test_what_is_no_font_is_refused(tmp_path):
    (tmp_path / "a.ttf").write_bytes(b"not a font")
    with pytest.raises(DataError, match=r"a\.ttf: is no font that can be read"):
        Glyphs(32, (tmp_path / "a.ttf",))


def test_a_truncated_font_is_refused(tmp_path):
    whole = find_font("DejaVuSans").read_bytes()
    (tmp_path / "a.ttf").write_bytes(whole[:3000])
    with pytest.raises(DataError, match=r"a\.ttf: is no font that can be read"):
        Glyphs(32, (tmp_path / "a.ttf",))


def test_a_missing_font_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no font file"):
        find_font(tmp_path / "a.ttf")
    with pytest.raises(DataError, match="did you mean 'DejaVuSans-Bold'"):
        find_font(Path("DejaVuSans-Bald"))


def test_pairs_that_are_kept_apart_are_shown_in_no_other_part():
    parts = {part: Glyphs(characters=("A-Z", "0-9"), apart=6, part=part) for part in ("train", "held-out", "all")}
    pairs = {
        part: {(source[i].attributes["character"], source[i].attributes["font"]) for i in range(len(source))}
        for part, source in parts.items()
    }
    everything = pairs["all"]
    assert pairs["train"] | pairs["held-out"] == everything
    assert not pairs["train"] & pairs["held-out"]
    assert len(pairs["held-out"]) == len(everything) / 6
    for place in (0, 1):
        assert {pair[place] for pair in pairs["train"]} == {pair[place] for pair in everything}
    for options in ({"apart": 1}, {"apart": -1}, {"part": "held-out"}):
        with pytest.raises(UsageError, match="apart=6"):
            Glyphs(**options)

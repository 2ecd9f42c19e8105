"""Contact sheets and trajectories."""

import io

import numpy as np
import pytest
from PIL import Image
from polydiff_image.sheet import contact_sheet, trajectory

PAPER = (0xF1, 0xF1, 0xF3)


def opened(content):
    return Image.open(io.BytesIO(content))


def plain(count, side=96, mode="L"):
    return [Image.new(mode, (side, side), "black") for _ in range(count)]


def shape(sheet, side=96):
    """Count the pictures across and down, all of them black."""
    black = (np.asarray(sheet) == 0).all(2)
    runs = [
        np.flatnonzero(np.diff(np.r_[0, np.bincount(np.flatnonzero(black.any(axis)), minlength=1) > 0, 0]) == 1)
        for axis in (0, 1)
    ]
    return tuple(map(len, runs))


@pytest.mark.parametrize(
    ("captions", "columns"),
    [
        ([""] * 9, 3),
        ([""], 1),
        (["a", "b", "c"], 2),
        ([str(i % 10) for i in range(40)], 10),
        ([str(i % 10) for i in range(16)], 10),
        ([str(i // 5) for i in range(20)], 5),
        (list("ab" * 18), 6),
        (list("aab" * 12), 6),
        (list("abcdefgh"), 3),
    ],
)
def test_columns_follow_the_captions(captions, columns):
    sheet = opened(contact_sheet(plain(len(captions)), captions))
    assert sheet.width == columns * (96 + 8) + 8


def test_small_pictures_are_enlarged_pixel_by_pixel():
    levels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    sheet = np.asarray(opened(contact_sheet([Image.fromarray(levels)], [""])))
    assert sheet.shape == (112, 112, 3)
    assert np.array_equal(sheet[8:104, 8:104, 1], levels.repeat(12, 0).repeat(12, 1))


def test_large_pictures_are_reduced():
    assert opened(contact_sheet(plain(1, 1000), [""])).size == (272, 272)


def test_every_picture_stands_in_its_place():
    pictures = [Image.new("L", (100, 100), level) for level in (10, 20, 30, 40, 50)]
    sheet = np.asarray(opened(contact_sheet(pictures, list("vwxyz"))))
    centres = [sheet[8 + 50 + row * (100 + 17 + 8), 8 + 50 + column * 108, 0] for row in (0, 1) for column in (0, 1, 2)]
    assert centres == [10, 20, 30, 40, 50, PAPER[0]]


def test_the_caption_is_written_below():
    without, short = (np.asarray(opened(contact_sheet(plain(1), [caption]))) for caption in ("", "seven"))
    assert short.shape[0] == without.shape[0] + 17
    text = (short[104:] < 128).all(2)
    assert 40 < text.sum() < 400
    columns = np.flatnonzero(text.any(0))
    assert abs(columns[0] + columns[-1] - 111) <= 2


def test_a_long_caption_is_wrapped_and_shortened():
    caption = "latin capital letter a with ring above and acute and much more than three lines can hold " + "x" * 50
    sheet = np.asarray(opened(contact_sheet(plain(2), [caption, "Übergrößenträgerinnenbekleidung"])))
    assert sheet.shape[0] == 112 + 3 * 17
    assert (sheet[:, :8] == PAPER).all()
    assert (sheet[104:, 104:112] == PAPER).all()


def test_transparency_shows_white():
    sheet = np.asarray(opened(contact_sheet([Image.new("RGBA", (96, 96), (255, 0, 0, 0))], [""])))
    assert sheet[50, 50].tolist() == [255, 255, 255]


def test_a_trajectory_is_a_strip_and_an_animation():
    frames = [Image.new("L", (8, 8), 10 * index) for index in range(25)]
    files = trajectory(frames)
    strip = np.asarray(opened(files["-strip.png"]))
    assert strip.shape == (112, 10 * 104 + 8, 3)
    assert strip[50, 50::104, 0].tolist() == [0, 30, 50, 80, 110, 130, 160, 190, 210, 240]
    animation = opened(files[".gif"])
    levels, pauses = [], []
    for index in range(animation.n_frames):
        animation.seek(index)
        levels.append(animation.convert("L").getpixel((40, 40)))
        pauses.append(animation.info["duration"])
    assert levels == [10 * index for index in range(25)]
    assert pauses == [100] * 24 + [1500]
    assert animation.info["loop"] == 0


def test_a_trajectory_of_one_frame():
    files = trajectory([Image.new("RGB", (8, 8), "red")])
    assert opened(files["-strip.png"]).size == (112, 112)
    assert opened(files[".gif"]).convert("RGB").getpixel((0, 0)) == (255, 0, 0)


def test_a_trajectory_of_equal_frames_lasts_as_long():
    animation = opened(trajectory([Image.new("L", (8, 8), 7)] * 5)[".gif"])
    total = 0
    for index in range(animation.n_frames):
        animation.seek(index)
        total += animation.info["duration"]
    assert total == 4 * 500 + 1500

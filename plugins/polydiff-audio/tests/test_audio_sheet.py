"""Contact sheets and trajectories of sounds."""

import io

import numpy as np
import pytest
from PIL import Image
from polydiff_audio.drawing import COLOURS, INK, row_of
from polydiff_audio.sheet import contact_sheet, trajectory
from polydiff_audio.sound import Sound

PAPER = (241, 241, 243)
MARGIN, GAP, WIDTH, WAVE, SPECTRUM, LINE, FOOT = 36, 12, 240, 48, 120, 17, 30
PICTURE = WAVE + 2 + SPECTRUM


def opened(data):
    return Image.open(io.BytesIO(data))


def sheet(sounds, captions):
    return np.asarray(opened(contact_sheet(sounds, captions)))


def silence(count=1, seconds=0.1, rate=8000):
    return [Sound(np.zeros((1, round(seconds * rate)), np.float32), rate) for _ in range(count)]


def noise(level=0.1, seconds=0.1, rate=8000):
    samples = np.random.default_rng(0).standard_normal((1, round(seconds * rate)))
    return Sound((level * samples).astype(np.float32), rate)


def spectrum(pixels, column=0, row=0, lines=1):
    """Cut out a spectrogram of a sheet."""
    left = MARGIN + column * (WIDTH + GAP)
    top = GAP + row * (PICTURE + LINE * (1 + lines) + GAP) + WAVE + 2
    return pixels[top : top + SPECTRUM, left : left + WIDTH]


@pytest.mark.parametrize(
    ("captions", "columns"),
    [
        ([""] * 9, 3),
        ([""], 1),
        (["a", "b", "c"], 2),
        ([str(i % 10) for i in range(40)], 10),
        ([str(i // 5) for i in range(20)], 5),
        (list("ab" * 18), 6),
        (list("aab" * 12), 6),
    ],
)
def test_columns_follow_the_captions(captions, columns):
    pixels = sheet(silence(len(captions)), captions)
    assert pixels.shape[1] == MARGIN + columns * (WIDTH + GAP)


def test_every_sound_stands_in_its_place():
    sounds = [noise(10 ** (-level / 20)) for level in (10, 20, 30, 40, 50)]
    pixels = sheet(sounds, list("vwxyz"))
    bright = [spectrum(pixels, column, row).mean() for row in (0, 1) for column in (0, 1, 2)]
    assert bright[:5] == sorted(bright[:5], reverse=True)
    assert (spectrum(pixels, 2, 1) == PAPER).all()


def test_sounds_are_on_one_scale_of_time():
    pixels = sheet([noise(seconds=0.4), noise(seconds=0.1)], ["long", "short"])
    assert (spectrum(pixels, 0)[:, -1] != PAPER).any(1).all()
    short = (spectrum(pixels, 1) != PAPER).any(2)
    assert short[:, :60].all()
    assert not short[:, 60:].any()


def test_sounds_are_on_one_scale_of_frequency():
    pixels = sheet([noise(rate=16000), noise(rate=8000)], ["all", "half"])
    above = int(row_of(4000, SPECTRUM, 8000))
    assert not (spectrum(pixels, 0)[:above, 20:-20] == COLOURS[0]).all(2).any()
    assert (spectrum(pixels, 1)[: above - 1] == COLOURS[0]).all()


def test_frequencies_are_marked_at_their_heights():
    sounds = [Sound(np.sin(2 * np.pi * 2000 * np.arange(8000) / 16000).astype(np.float32)[None], 16000)]
    pixels = sheet(sounds, ["a sine"])
    top = GAP + WAVE + 2
    ticks = np.flatnonzero((pixels[: top + SPECTRUM, MARGIN - 4] != PAPER).any(1)) - top
    assert ticks.tolist() == [round(row_of(mark, SPECTRUM, 8000)) for mark in (8000, 4000, 2000, 1000, 500)]
    line = spectrum(pixels)[:, 120].astype(int).sum(1).argmax()
    assert abs(line - ticks[2]) <= 1


def test_the_waveform_is_above_the_spectrogram():
    pixels = sheet([noise()], [""])
    wave = pixels[GAP : GAP + WAVE, MARGIN : MARGIN + WIDTH]
    assert 0.02 < (wave == INK).all(2).mean() < 0.5
    assert (pixels[GAP + WAVE : GAP + WAVE + 2, MARGIN:] == PAPER).all()


def text(pixels, lines):
    """Count the dark pixels of each line of a caption below the first sound."""
    top = GAP + PICTURE
    dark = (pixels[top : top + LINE * lines, MARGIN:] < 130).all(2)
    return dark.reshape(lines, LINE, -1).sum((1, 2))


def test_caption_and_facts_are_written_below():
    none, one = sheet(silence(), [""]), sheet(silence(), ["seven"])
    assert none.shape[0] == GAP + PICTURE + LINE + GAP + FOOT
    assert one.shape[0] == none.shape[0] + LINE
    assert 30 < text(one, 2)[0] < 300
    first, second = sheet(silence(seconds=0.1), ["seven"]), sheet(silence(seconds=0.2), ["seven"])
    facts = slice(GAP + PICTURE + LINE, GAP + PICTURE + 2 * LINE)
    assert (first[facts] != second[facts]).any()


@pytest.mark.parametrize("other", [noise(0.2), noise(np.nan), silence()[0]])
def test_the_level_is_written(other):
    facts = slice(GAP + PICTURE, GAP + PICTURE + LINE)
    assert (sheet([noise(0.1)], [""])[facts] != sheet([other], [""])[facts]).any()


def test_a_long_caption_is_wrapped_and_shortened():
    """Also one of letters so wide that a line does not fit stays below its own sound."""
    pixels = sheet(silence(2), ["a caption of many words " * 10, "W" * 200])
    assert pixels.shape[0] == GAP + PICTURE + 4 * LINE + GAP + FOOT
    assert (text(pixels, 4)[:3] > 50).all()
    assert (pixels[:-FOOT, MARGIN + WIDTH : MARGIN + WIDTH + GAP] == PAPER).all()
    assert (pixels[:, -GAP:] == PAPER).all()


@pytest.mark.parametrize("caption", [r"$\frac{1}$", "音 ¤ \u202e", "a\nb\tc"])
def test_any_text_can_be_a_caption(caption):
    assert sheet(silence(), [caption]).shape[1] == MARGIN + WIDTH + GAP


def test_the_key_shows_the_colours():
    pixels = sheet(silence(), [""])
    foot = pixels[-FOOT:].reshape(-1, 3)
    for colour in COLOURS[::2]:
        assert (foot == colour).all(1).any()


@pytest.mark.parametrize("frames", [1, 10])
def test_a_very_short_sound_beside_a_long_one(frames):
    pixels = sheet([*silence(seconds=2), Sound(np.full((1, frames), 0.9, np.float32), 8000)], ["", ""])
    shown = (spectrum(pixels, 1, lines=0) != PAPER).any(2)
    assert shown.any(0).tolist() == [True] + [False] * (WIDTH - 1)


def growing(count):
    return [noise(10 ** ((2 * index - 70) / 20)) for index in range(count)]


def test_a_trajectory_is_a_strip_and_an_animation():
    files = trajectory(growing(25))
    strip = np.asarray(opened(files["-strip.png"]))
    assert strip.shape == (PICTURE + 2 * GAP, 10 * (140 + GAP) + GAP, 3)
    bright = [strip[GAP + WAVE + 2 : -GAP, GAP + i * 152 : GAP + i * 152 + 140].mean() for i in range(10)]
    assert bright == sorted(bright)
    assert (strip[:, :GAP] == PAPER).all()
    animation = opened(files[".gif"])
    bright, pauses = [], []
    for index in range(animation.n_frames):
        animation.seek(index)
        bright.append(np.asarray(animation.convert("RGB"))[WAVE + 2 :].mean())
        pauses.append(animation.info["duration"])
    assert bright == sorted(bright)
    assert pauses == [100] * 24 + [1500]
    assert animation.info["loop"] == 0
    assert animation.size == (360, PICTURE)


def test_an_animation_keeps_the_colours():
    animation = opened(trajectory([noise()])[".gif"])
    shown = np.asarray(animation.convert("RGB"))[WAVE + 2 :].astype(int).reshape(-1, 3)[::50]
    away = np.abs(shown[:, None] - COLOURS.astype(int)).max(2).min(1)
    assert away.max() <= 12


def test_a_trajectory_of_one_frame():
    files = trajectory(growing(1))
    assert opened(files["-strip.png"]).size == (140 + 2 * GAP, PICTURE + 2 * GAP)
    assert opened(files[".gif"]).n_frames == 1


def test_a_trajectory_of_equal_frames_lasts_as_long():
    animation = opened(trajectory([noise()] * 5)[".gif"])
    total = 0
    for index in range(animation.n_frames):
        animation.seek(index)
        total += animation.info["duration"]
    assert total == 4 * 500 + 1500

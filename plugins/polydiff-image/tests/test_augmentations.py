"""Random changes to pictures."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from polydiff_image.augmentations import Crop, Flip, Jitter

from polydiff.errors import UsageError


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(mode="RGB", width=20, height=12):
    if mode == "F":
        return Image.fromarray(rng().uniform(0, 255, (height, width)).astype(np.float32))
    bands = len(Image.new(mode, (1, 1)).getbands())
    levels = rng().integers(40, 200, (height, width, bands), dtype=np.uint8)
    return Image.fromarray(levels.squeeze(2) if bands == 1 else levels, mode)


MODES = ["L", "LA", "RGB", "RGBA", "F"]


@pytest.mark.parametrize("mode", MODES)
def test_flip_mirrors_left_and_right(mode):
    flipped = Flip(1)(noise(mode), rng())
    assert np.array_equal(np.asarray(flipped), np.asarray(noise(mode))[:, ::-1])


def test_flip_flips_as_often_as_asked():
    change, picture, generator = Flip(0.3), noise(), rng()
    flips = sum(change(picture, generator) is not picture for _ in range(2000))
    assert abs(flips - 600) < 3 * np.sqrt(2000 * 0.3 * 0.7)


@pytest.mark.parametrize("mode", MODES)
def test_crop_cuts_a_window(mode):
    picture, generator = noise(mode), rng()
    levels = np.asarray(picture)
    for _ in range(20):
        window = np.asarray(Crop(0.5)(picture, generator))
        height, width = window.shape[:2]
        assert 6 <= height <= 12
        assert 10 <= width <= 20
        places = np.lib.stride_tricks.sliding_window_view(levels, window.shape)
        assert (places == window).reshape(*places.shape[:2], -1).all(-1).any()


def test_crop_reaches_every_edge():
    picture, generator = Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)), rng()
    corners = {
        level for _ in range(300) for level in np.asarray(Crop(0.7)(picture, generator))[[0, -1], [0, -1]].tolist()
    }
    assert {0, 99} <= corners


def test_crop_of_the_whole_changes_nothing():
    assert Crop(1)(noise(), rng()).tobytes() == noise().tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_jitter_of_strength_zero_changes_nothing(mode):
    changed = Jitter(0, 0, 0)(noise(mode), rng())
    assert changed.mode == mode
    assert np.allclose(np.asarray(changed), np.asarray(noise(mode)))


@pytest.mark.parametrize("option", ["brightness", "contrast", "saturation"])
def test_jitter_agrees_with_pillows_enhancers(option):
    strengths = {"brightness": 0, "contrast": 0, "saturation": 0, option: 0.5}
    factor = 1 + 0.5 * rng(3).uniform(-1, 1, 3)[list(strengths).index(option)]
    enhancers = {
        "brightness": ImageEnhance.Brightness,
        "contrast": ImageEnhance.Contrast,
        "saturation": ImageEnhance.Color,
    }
    expected = enhancers[option](noise()).enhance(factor)
    changed = Jitter(**strengths)(noise(), rng(3))
    assert np.abs(np.asarray(changed).astype(int) - np.asarray(expected)).max() <= 2
    assert changed.tobytes() != noise().tobytes()


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_jitter_leaves_alpha(mode):
    changed = Jitter(0.9, 0.9, 0.9)(noise(mode), rng())
    assert changed.getchannel("A").tobytes() == noise(mode).getchannel("A").tobytes()
    assert changed.tobytes() != noise(mode).tobytes()


def test_jitter_treats_depths_alike():
    grey = noise("L")
    deep = Jitter(0.3, 0.3)(grey.convert("F"), rng(1))
    assert np.abs(np.clip(np.asarray(deep), 0, 255) - np.asarray(Jitter(0.3, 0.3)(grey, rng(1)))).max() < 1


@pytest.mark.parametrize("change", [Flip(), Crop(), Jitter()])
def test_all_randomness_comes_from_the_generator(change):
    assert [change(noise(), rng(seed)).tobytes() for seed in range(9)] == [
        change(noise(), rng(seed)).tobytes() for seed in range(9)
    ]
    assert len({change(noise(), rng(seed)).tobytes() for seed in range(9)}) > 1


@pytest.mark.parametrize(
    ("kind", "options"),
    [(Flip, {"p": 1.1}), (Crop, {"smallest": 0}), (Crop, {"smallest": 2}), (Jitter, {"contrast": -0.1})],
)
def test_options_out_of_range_are_refused(kind, options):
    with pytest.raises(UsageError, match=next(iter(options))):
        kind(**options)

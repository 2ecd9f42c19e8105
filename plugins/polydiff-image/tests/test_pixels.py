"""Pictures as tensors."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from polydiff_image.pictures import SHRUNK
from polydiff_image.pixels import Pixels

from polydiff.errors import PolydiffError, RecipeError, UsageError


def noise(mode, width, height, seed=0):
    bands = len(Image.new(mode, (1, 1)).getbands())
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.fromarray(levels.squeeze(2) if bands == 1 else levels, mode)


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_a_picture_of_the_codecs_size_comes_back_as_it_was(channels, mode, fit):
    codec = Pixels((7, 5), channels, fit)
    picture = noise(mode, 7, 5)
    x = codec.encode(picture)
    assert (x.shape, x.dtype) == (codec.shape, torch.float32)
    assert codec.shape == (channels, 5, 7)
    (back,) = codec.decode(x[None])
    assert back.mode == mode
    assert back.tobytes() == picture.tobytes()


def test_all_levels_lie_between_minus_one_and_one():
    codec = Pixels(16, 1)
    x = codec.encode(Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    assert x.min() == -1
    assert x.max() == 1
    assert torch.allclose(x.flatten().diff(), torch.tensor(2 / 255))


def test_values_out_of_range_become_black_or_white():
    (picture,) = Pixels(2, 1).decode(torch.tensor([[[[-3.0, -1.0], [1.0, 7.0]]]]))
    assert picture.tobytes() == bytes([0, 0, 255, 255])


def test_decoding_takes_any_size_and_half_precision():
    pictures = Pixels(8, 3).decode(torch.zeros(2, 3, 4, 6, dtype=torch.bfloat16))
    assert [(picture.size, picture.mode, picture.getpixel((0, 0))) for picture in pictures] == [
        ((6, 4), "RGB", (128,) * 3)
    ] * 2


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(PolydiffError, match="not finite"):
        Pixels(2, 1).decode(torch.full((1, 1, 2, 2), value))


def test_sixteen_bit_grey_is_encoded_exactly():
    levels = np.linspace(0, 255, 64, dtype=np.float32).reshape(8, 8)
    for channels in (1, 3):
        x = Pixels(8, channels).encode(Image.fromarray(levels))
        assert torch.allclose(x, torch.from_numpy(levels / 127.5 - 1).expand(channels, 8, 8), atol=1e-6)
    x = Pixels(8, 4).encode(Image.fromarray(levels))
    assert torch.allclose(x[:3], torch.from_numpy(levels / 127.5 - 1).expand(3, 8, 8), atol=1e-6)
    assert torch.equal(x[3], torch.ones(8, 8))


def test_the_filter_does_not_overshoot():
    edge = np.zeros((32, 32), np.float32)
    edge[:, 16:] = 255
    x = Pixels(12, 1).encode(Image.fromarray(edge))
    assert x.abs().max() <= 1


def test_colour_to_grey_and_grey_to_colour():
    x = Pixels(1, 1).encode(Image.new("RGB", (1, 1), (255, 100, 0)))
    assert x.item() == pytest.approx((0.299 * 255 + 0.587 * 100) / 127.5 - 1, abs=1e-6)
    x = Pixels(1, 3).encode(Image.new("L", (1, 1), 51))
    assert torch.allclose(x, torch.tensor(-0.6))


@pytest.mark.parametrize(("channels", "seen"), [(1, [76.245]), (3, [255, 0, 0]), (4, [0, 0, 255, 0])])
def test_the_background_shows_through_transparency(channels, seen):
    x = Pixels(2, channels, background="red").encode(Image.new("RGBA", (2, 2), (0, 0, 255, 0)))
    expected = [76] if channels == 1 else seen
    assert torch.allclose((x + 1) * 127.5, torch.tensor(expected, dtype=torch.float32).view(-1, 1, 1), atol=0.5)


def test_half_transparency_mixes():
    x = Pixels(1, 3, background="#ff0000").encode(Image.fromarray(np.array([[[0, 128]]], np.uint8), "LA"))
    assert torch.allclose((x.flatten() + 1) * 127.5, torch.tensor([127.0, 0, 0]), atol=0.01)


def test_transparent_pixels_do_not_bleed_when_shrunk():
    levels = np.zeros((8, 8, 4), np.uint8)
    levels[:, ::2] = (0, 0, 255, 255)
    levels[:, 1::2] = (255, 255, 0, 0)
    x = Pixels(4, 4).encode(Image.fromarray(levels))
    assert torch.allclose((x[:3] + 1) * 127.5, torch.tensor([0.0, 0, 255]).view(3, 1, 1), atol=1)


def stripes():
    """Give a picture of three squares side by side: black, grey, white."""
    return Image.fromarray(np.repeat([[0, 128, 255]], 30, axis=0).repeat(30, axis=1).astype(np.uint8))


def test_crop_keeps_the_middle():
    x = Pixels(10, 1, "crop").encode(stripes())
    assert torch.allclose((x[0, :, 1:-1] + 1) * 127.5, torch.tensor(128.0), atol=4)


def test_crop_of_a_tall_picture_keeps_the_middle():
    x = Pixels(10, 1, "crop").encode(stripes().rotate(90, expand=True))
    assert torch.allclose((x[0, 1:-1] + 1) * 127.5, torch.tensor(128.0), atol=4)


@given(*[st.integers(1, 90)] * 4, st.sampled_from(["crop", "pad", "stretch"]))
def test_any_size_is_fitted_into_any_frame(width, height, frame_width, frame_height, fit):
    codec = Pixels((frame_width, frame_height), 1, fit, "black")
    x = codec.encode(Image.new("L", (width, height), 255))
    assert x.shape == (1, frame_height, frame_width)
    assert x.max() == 1
    assert fit == "pad" or x.min() == 1


def test_pad_shows_all_on_the_background():
    levels = (Pixels(9, 1, "pad", "#404040").encode(stripes())[0] + 1) * 127.5
    assert torch.allclose(levels[:3], torch.tensor(64.0))
    assert torch.allclose(levels[6:], torch.tensor(64.0))
    assert torch.allclose(levels[3:6, [1, 4, 7]], torch.tensor([0.0, 128, 255]), atol=3)


def test_pad_of_an_extreme_shape_keeps_a_pixel():
    levels = (Pixels(8, 1, "pad").encode(Image.new("L", (1000, 1), 0))[0] + 1) * 127.5
    assert (levels < 128).sum() == 8


def test_stretch_shows_all_without_a_background():
    levels = (Pixels(9, 1, "stretch").encode(stripes())[0] + 1) * 127.5
    assert torch.allclose(levels[:, [1, 4, 7]], torch.tensor([0.0, 128, 255]), atol=3)


def test_fine_patterns_shrink_to_grey_and_not_to_aliases():
    checks = np.indices((256, 256)).sum(0) % 2 * 255
    x = Pixels(24, 1).encode(Image.fromarray(checks.astype(np.uint8)))
    assert x.abs().max() < 0.05


@pytest.mark.parametrize(
    ("text", "shape"), [("96", (3, 96, 96)), ("96x64", (3, 64, 96)), (" 8X4 ", (3, 4, 8)), ("12×9", (3, 9, 12))]
)
def test_a_size_is_width_by_height(text, shape):
    assert Pixels(8).shape_for(text) == shape


@pytest.mark.parametrize("text", ["", "0", "8x0", "8x", "-8", "8.5", "8x8x8", "big", "٨"])
def test_nonsense_is_no_size(text):
    with pytest.raises(UsageError, match="96x64 for width x height"):
        Pixels(8).shape_for(text)


@pytest.mark.parametrize("options", [{"size": 0}, {"size": (8, -1)}, {"background": "reddish"}])
def test_options_out_of_range_are_refused(options):
    with pytest.raises(UsageError):
        Pixels(**options)


def test_pictures_shrunk_too_far_by_the_source_are_refused():
    shrunk = Image.new("RGB", (40, 60))
    shrunk.info[SHRUNK] = shrunk.size
    assert Pixels(40).encode(shrunk.crop((0, 0, 20, 20))).shape == (3, 40, 40)
    with pytest.raises(RecipeError, match=r"data\.source\.shrink_to: .*40 x 60 .*shrink_to=128"):
        Pixels(64).encode(shrunk)

"""Pictures written and read back with their metadata."""

import io
import json

import numpy as np
import pytest
from PIL import Image
from polydiff_image.writers import jpeg, png, webp

from polydiff.errors import UsageError

METADATA = {"polydiff": '{"seed": 3, "label": "Käse 🧀"}', "caption": "two\nlines", "empty": ""}


def noise(mode):
    bands = len(Image.new(mode, (1, 1)).getbands())
    levels = np.random.default_rng(0).integers(0, 256, (9, 8, bands), dtype=np.uint8)
    return Image.fromarray(levels.squeeze(2) if bands == 1 else levels, mode)


def opened(content):
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_png_keeps_pixels_and_text(mode):
    picture = opened(png(noise(mode), METADATA))
    assert (picture.format, picture.mode) == ("PNG", mode)
    assert picture.tobytes() == noise(mode).tobytes()
    assert picture.text == METADATA


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_keeps_pixels_and_text(mode):
    picture = opened(webp(noise(mode), METADATA))
    assert (picture.format, picture.mode) == ("WEBP", mode)
    assert picture.tobytes() == noise(mode).tobytes()
    assert json.loads(picture.getexif()[0x010E]) == METADATA


def test_webp_of_grey():
    assert opened(webp(noise("L"), {})).convert("L").tobytes() == noise("L").tobytes()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_keeps_text_and_nearly_the_pixels(mode):
    picture = opened(jpeg(noise(mode), METADATA))
    assert (picture.format, picture.mode) == ("JPEG", mode)
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(noise(mode))).mean() < 4
    assert json.loads(picture.getexif()[0x010E]) == METADATA


def test_jpeg_of_a_transparent_picture_is_refused():
    with pytest.raises(UsageError, match="write png or webp"):
        jpeg(noise("RGBA"), {})


@pytest.mark.parametrize("write", [png, jpeg, webp])
def test_the_same_picture_gives_the_same_bytes(write):
    assert write(noise("RGB"), METADATA) == write(noise("RGB"), METADATA)

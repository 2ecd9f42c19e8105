"""Pictures kept decoded."""

import numpy as np
import pytest
from PIL import Image
from polydiff_image import folder as module
from polydiff_image.folder import Folder
from polydiff_image.pictures import SHRUNK


@pytest.fixture
def decoded(monkeypatch):
    """Count how often files are decoded."""
    calls = []
    read = module.read_picture
    monkeypatch.setattr(module, "read_picture", lambda *args: calls.append(args) or read(*args))
    return calls


@pytest.fixture
def pictures(tmp_path):
    """Give a folder of pictures of every mode that a file may have."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (90, 160, 4), dtype=np.uint8))
    (tmp_path / "pictures").mkdir()
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        colour.convert(mode).save(tmp_path / "pictures" / f"{mode}.png")
    Image.fromarray(rng.integers(0, 2**16, (90, 160), dtype=np.uint16)).save(tmp_path / "pictures" / "16.png")
    colour.convert("RGB").resize((640, 360)).save(tmp_path / "pictures" / "large.jpg")
    return tmp_path / "pictures"


def test_the_cache_gives_what_decoding_gives(pictures, tmp_path, decoded):
    plain, cached = (Folder(pictures, shrink_to=90, cache=cache) for cache in (None, tmp_path / "cache"))
    expected = [plain[index].content for index in range(len(plain))]
    assert {picture.mode for picture in expected} == {"F", "L", "LA", "RGB", "RGBA"}
    for _ in range(3):
        for index, other in enumerate(expected):
            one = cached[index].content
            assert (one.mode, one.size, one.info) == (other.mode, other.size, other.info)
            assert np.array_equal(np.asarray(one), np.asarray(other))
    assert len(decoded) == 2 * len(plain)
    assert sum(SHRUNK in picture.info for picture in expected) == 1


def test_other_options_are_decoded_anew(pictures, tmp_path, decoded):
    for shrink_to in (None, 90, None, 90):
        source = Folder(pictures, shrink_to=shrink_to, cache=tmp_path / "cache")
        assert source[len(source) - 1].content.width == (160 if shrink_to else 640)
    assert len(decoded) == 2


def test_what_is_done_to_a_picture_is_not_kept(pictures, tmp_path):
    source = Folder(pictures, cache=tmp_path / "cache")
    for _ in range(3):
        picture = source[1].content
        before = picture.getpixel((0, 0))
        picture.putpixel((0, 0), 255 - before)
        assert source[1].content.getpixel((0, 0)) == before

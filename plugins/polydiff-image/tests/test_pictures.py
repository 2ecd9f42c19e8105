"""Reading picture files of every kind."""

import contextlib
import io

import numpy as np
import pytest
from PIL import Image
from polydiff_image.pictures import SHRUNK, normalise, open_picture, read_picture

from polydiff.errors import DataError

LIMIT = 10**6
RGB = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [0, 0, 0], [10, 20, 30]]], np.uint8)
SMOOTH = np.stack(np.broadcast_arrays(*np.ogrid[0:255:64j, 0:255:96j], 128), 2).astype(np.uint8)


@pytest.fixture
def read(tmp_path):
    """Make a function that saves a picture and reads it back."""

    def saved_and_read(picture, name, shrink_to=None, **options):
        path = tmp_path / name
        picture.save(path, **options)
        return read_picture(path, LIMIT, shrink_to)

    return saved_and_read


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("ü ñ 图.PNG", {}), ("a.webp", {"lossless": True}), ("a.tif", {}), ("a.tiff", {})],
)
def test_lossless_colour_is_read_exactly(read, name, options):
    picture = read(Image.fromarray(RGB), name, **options)
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), RGB)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.webp"])
def test_lossy_colour_is_read_closely(read, name):
    picture = read(Image.fromarray(SMOOTH), name, quality=95)
    assert picture.mode == "RGB"
    assert np.abs(np.asarray(picture).astype(int) - SMOOTH).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
def test_exif_orientation_is_undone(read, name, orientation):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :8] = 255
    # The transformation that the orientation tells a viewer to make, undone (EXIF 2.32, tag 0x0112).
    stored = {
        1: upright,
        2: np.fliplr(upright),
        3: np.rot90(upright, 2),
        4: np.flipud(upright),
        5: upright.T,
        6: np.rot90(upright),
        7: np.rot90(upright.T, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read(Image.fromarray(np.ascontiguousarray(stored)).convert("RGB"), name, exif=exif)
    assert picture.size == (32, 16)
    assert np.abs(np.asarray(picture.convert("L")).astype(int) - upright).max() < 16


def test_sixteen_bits_of_grey_keep_their_depth(read):
    levels = np.array([[0, 1, 256, 257, 4095, 32768, 65535]], np.uint16)
    for name in ("a.png", "a.tif"):
        picture = read(Image.fromarray(levels), name)
        assert picture.mode == "F"
        assert np.allclose(np.asarray(picture), levels / 257, rtol=1e-6)


def test_sixteen_bits_of_the_other_byte_order(read):
    levels = np.array([[0, 258, 65535]], np.uint16)
    picture = read(Image.frombytes("I;16B", (3, 1), levels.astype(">u2").tobytes()), "a.tif")
    assert np.allclose(np.asarray(picture), levels / 257)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_thirty_two_bits_are_refused(tmp_path, mode):
    Image.new(mode, (4, 4)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="32 bits a pixel"):
        open_picture(tmp_path / "a.tif", LIMIT)


def test_black_and_white(read):
    picture = read(Image.fromarray(np.eye(9, dtype=bool)), "a.png")
    assert picture.mode == "L"
    assert np.array_equal(np.asarray(picture), 255 * np.eye(9))


def test_grey_with_alpha(read):
    levels = np.array([[[0, 0], [100, 128], [255, 255]]], np.uint8)
    picture = read(Image.fromarray(levels, "LA"), "a.png")
    assert picture.mode == "LA"
    assert np.array_equal(np.asarray(picture), levels)


def test_a_grey_level_that_stands_for_transparent(read):
    picture = read(Image.fromarray(np.array([[0, 7, 255]], np.uint8)), "a.png", transparency=7)
    assert picture.mode == "LA"
    assert np.asarray(picture)[0].tolist() == [[0, 255], [7, 0], [255, 255]]


def test_a_palette(read):
    picture = read(Image.fromarray(RGB).quantize(8), "a.png")
    assert picture.mode == "RGB"
    assert np.array_equal(np.asarray(picture), RGB)


@pytest.mark.parametrize("transparency", [0, b"\x00\x80\xff"])
def test_a_palette_with_transparency(read, transparency):
    indexed = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    indexed.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture = read(indexed, "a.png", transparency=transparency)
    assert picture.mode == "RGBA"
    alpha = [0, 255, 255] if transparency == 0 else [0, 128, 255]
    assert np.asarray(picture)[0].tolist() == [[255, 0, 0, alpha[0]], [0, 255, 0, alpha[1]], [0, 0, 255, alpha[2]]]


def test_colour_with_alpha(read):
    levels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), dtype=np.uint8)
    assert np.array_equal(np.asarray(read(Image.fromarray(levels), "a.png")), levels)


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_printers_colours(read, name):
    picture = read(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), name)
    assert picture.mode == "RGB"
    assert np.abs(np.asarray(picture).astype(int) - [255, 0, 0]).max() < 4


def test_an_animation_gives_its_first_frame(read):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "lime", "blue")]
    for name in ("a.gif", "a.webp", "a.png", "a.tif"):
        picture = read(frames[0], name, save_all=True, append_images=frames[1:])
        assert picture.convert("RGB").getcolors() == [(24, (255, 0, 0))] or name == "a.webp"
        assert np.abs(np.asarray(picture.convert("RGB")).astype(int) - [255, 0, 0]).max() < 4


def test_nothing_of_the_file_clings_to_the_picture(read):
    picture = read(Image.fromarray(SMOOTH), "a.jpg", comment=b"x" * 100, dpi=(72, 72))
    assert picture.info == {}


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.gif", "a.tif"])
def test_a_truncated_file_is_refused_when_it_is_read(tmp_path, name):
    path = tmp_path / name
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError):
        read_picture(path, LIMIT)


def test_a_truncated_jpeg_passes_the_glance_at_its_header(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    open_picture(path, LIMIT).close()
    with pytest.raises(DataError, match="cannot be decoded: image file is truncated"):
        read_picture(path, LIMIT)


@pytest.mark.parametrize(
    "content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFFxxxxWEBP"]
)
def test_what_is_no_picture_is_refused_at_once(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError):
        open_picture(tmp_path / "a.png", LIMIT)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="cannot be opened: No such file"):
        open_picture(tmp_path / "a.png", LIMIT)


def test_formats_that_are_not_read_are_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", "PPM")
    with pytest.raises(DataError, match="no picture in a format that is read"):
        open_picture(tmp_path / "a.png", LIMIT)


def test_broken_bytes_are_refused_or_read_but_never_crash(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "a"
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
        file = io.BytesIO()
        Image.fromarray(SMOOTH).save(file, kind)
        for _ in range(40):
            content = bytearray(file.getvalue())
            for place in rng.integers(0, min(len(content), 400), 8):
                content[place] = rng.integers(256)
            path.write_bytes(content)
            with contextlib.suppress(DataError):
                assert read_picture(path, LIMIT).mode in {"L", "LA", "RGB", "RGBA", "F"}


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path):
    Image.new("1", (2000, 1000)).save(tmp_path / "a.png")
    with pytest.raises(
        DataError, match=r"has 2000 x 1000 pixels, more than 1000000; data.source.max_pixels allows more"
    ):
        open_picture(tmp_path / "a.png", LIMIT)
    Image.new("1", (20_000, 10_000)).save(tmp_path / "bomb.png")
    with pytest.raises(DataError, match="more than 178956970 pixels, the most that are read"):
        open_picture(tmp_path / "bomb.png", 10**8)


@pytest.mark.parametrize(
    ("shrink_to", "size"), [(None, (400, 200)), (300, (400, 200)), (100, (200, 100)), (60, (200, 100)), (20, (50, 25))]
)
def test_large_jpegs_are_decoded_at_a_reduced_size(read, shrink_to, size):
    large = Image.fromarray(SMOOTH).resize((400, 200))
    picture = read(large, "a.jpg", shrink_to)
    assert picture.size == size
    assert picture.info == ({SHRUNK: size} if size != (400, 200) else {})
    assert np.abs(np.asarray(picture).astype(int) - np.asarray(large.resize(size, Image.Resampling.BOX))).mean() < 3


def test_other_files_are_not_shrunk(read):
    assert read(Image.fromarray(SMOOTH), "a.png", shrink_to=8).size == (96, 64)


def test_a_picture_in_order_is_left_alone():
    for mode in ("L", "LA", "RGB", "RGBA", "F"):
        picture = Image.new(mode, (3, 3))
        assert normalise(picture) is picture

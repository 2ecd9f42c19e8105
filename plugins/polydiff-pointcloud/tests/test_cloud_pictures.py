"""Pictures of clouds: what is nearer hides what is farther, sheets, animations and pages."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from polydiff_pointcloud import drawing
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.drawing import Frame, View, frame_of, radius_of, render
from polydiff_pointcloud.sheet import contact_sheet, trajectory
from polydiff_pointcloud.viewer import fragment

FRONT = View(0, 0)
FRAME = Frame(np.zeros(3, np.float32), 1.0, 0.1)
RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def dots(*places, colors=None):
    return PointCloud(np.float32(places), colors=None if colors is None else np.float32(colors))


def sphere(count=300, radius=1.0, seed=0):
    points = np.random.default_rng(seed).standard_normal((count, 3))
    return PointCloud((radius * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32))


def drawn(cloud, view=FRONT, frame=FRAME, size=100):
    return np.asarray(render(cloud, frame, view, size)).astype(int)


def inked(pixels):
    """Give the middle, (row, column), of what differs from the paper."""
    return np.argwhere(np.abs(pixels - drawing.PAPER).max(2) > 20).mean(0)


@pytest.mark.parametrize(
    ("view", "place", "where"),
    [
        (FRONT, (0.5, 0, 0), (50, 74)),
        (FRONT, (0, 0.5, 0), (27, 50)),
        (View(90, 0), (0, 0, -0.5), (50, 74)),
        (View(180, 0), (-0.5, 0, 0), (50, 74)),
        (View(0, 90), (0, 0, -0.5), (27, 50)),
    ],
)
def test_points_are_where_the_view_has_them(view, place, where):
    np.testing.assert_allclose(inked(drawn(dots(place), view)), where, atol=2.5)


def test_the_nearer_hides_the_farther():
    cloud = dots((0, 0, 0.5), (0, 0, -0.5), colors=[RED, BLUE])
    front, back = drawn(cloud)[50, 50], drawn(cloud, View(180, 0))[50, 50]
    assert front[0] > front[2] + 50
    assert back[2] > back[0] + 50


def test_the_farther_fades_and_is_smaller():
    near, far = drawn(dots((0, 0, 0.9), colors=[RED])), drawn(dots((0, 0, -0.9), colors=[RED]))
    assert (near[..., 1] < 200).sum() > 1.5 * (far[..., 1] < 200).sum()
    assert far[50, 50, 1] > near[50, 50, 1] + 20


def test_balls_are_lit_from_above():
    pixels = drawn(dots((0, 0, 0), colors=[(0.7, 0.7, 0.7)]), frame=Frame(np.zeros(3, np.float32), 1.0, 0.5))
    assert pixels[38, 45].sum() > pixels[62, 55].sum() + 60


def test_a_shape_stands_on_its_shadow():
    cloud = PointCloud((sphere().points * 0.3 + np.float32([0, 0.4, 0])).astype(np.float32))
    below = drawn(cloud, View(0, 40))[45:80, 50]
    assert below.min() < 220


def test_points_without_colours_have_those_of_their_heights():
    colors = drawing.colors_of(dots((0, -1, 0), (0, 0, 0), (0, 1, 0)), FRAME)
    assert colors[0].argmax() == 2
    assert colors[2].argmin() == 2
    assert len(np.unique(colors, axis=0)) == 3


def test_the_frame_does_not_count_a_few_points_astray():
    cloud = PointCloud(np.concatenate([sphere(999).points, np.float32([[500, 0, 0]])]))
    assert radius_of(cloud) == pytest.approx(1, rel=0.05)
    assert np.linalg.norm(frame_of(cloud).center) < 0.05
    assert drawn(cloud, frame=frame_of(cloud)).shape == (100, 100, 3)


def test_points_beside_and_behind_the_camera_are_no_error():
    assert drawn(dots((0, 0, 9), (50, 0, 0), (0, -80, -9))).shape == (100, 100, 3)


def test_a_single_point_is_drawn():
    pixels = np.asarray(render(dots((3, 3, 3)), frame_of(dots((3, 3, 3))), FRONT, 80)).astype(int)
    np.testing.assert_allclose(inked(pixels), (40, 40), atol=2)


def test_a_sheet_has_two_views_captions_and_columns():
    cloud = sphere(60)
    sheet = Image.open(io.BytesIO(contact_sheet([cloud] * 6, ["a", "b", "c"] * 2)))
    assert (sheet.width, sheet.mode) == (12 + 3 * (2 * 168 + 12), "RGB")
    longer = Image.open(io.BytesIO(contact_sheet([cloud], ["word " * 40])))
    assert longer.height == Image.open(io.BytesIO(contact_sheet([cloud], ["a"]))).height + 2 * 17


def test_a_trajectory_ends_as_the_shape_and_turns():
    noise = PointCloud(np.random.default_rng(0).standard_normal((50, 3)).astype(np.float32))
    files = trajectory([noise, sphere(50, 0.9), sphere(50)])
    assert set(files) == {"-strip.png", ".gif", "-turn.gif"}
    strip = Image.open(io.BytesIO(files["-strip.png"]))
    assert strip.width == 3 * (144 + 12) + 12
    animation = Image.open(io.BytesIO(files[".gif"]))
    assert animation.n_frames == 3
    turning = Image.open(io.BytesIO(files["-turn.gif"]))
    assert turning.n_frames == 36
    assert turning.info["loop"] == 0
    durations = set()
    for frame in range(36):
        turning.seek(frame)
        durations.add(turning.info["duration"])
    assert len(durations) == 1


def test_a_page_holds_the_points_and_needs_no_network():
    cloud = dots((0, 0, 0), (1, 2, 0), (0, 0, 2), colors=[RED, BLUE, RED])
    page = fragment([cloud, sphere()], ['a <b> & "c"', "ball"])
    assert not re.search(r"https?:|src=|href=|url\(|@?import|fetch|XMLHttp", page)
    assert "a &lt;b&gt; &amp; &quot;c&quot;" in page
    assert page.count("<canvas") == 2
    frame = frame_of(cloud)
    points = np.frombuffer(base64.b64decode(re.search('data-points="(.*?)"', page)[1]), "<i2").reshape(-1, 3)
    np.testing.assert_allclose(points / 16384 * frame.radius + frame.center, cloud.points, atol=1e-3)
    colors = np.frombuffer(base64.b64decode(re.search('data-colors="(.*?)"', page)[1]), np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(colors, 255 * cloud.colors)


def test_the_script_and_the_style_are_in_the_package():
    folder = Path(drawing.__file__).parent
    assert (folder / "viewer.js").is_file()
    assert (folder / "viewer.css").is_file()

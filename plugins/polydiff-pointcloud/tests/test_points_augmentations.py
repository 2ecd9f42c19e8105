"""Random changes to clouds: their distributions, and what they leave alone."""

import numpy as np
import pytest
from polydiff_pointcloud.augmentations import Dropout, Jitter, Rotate, Scale
from polydiff_pointcloud.cloud import PointCloud
from scipy import stats

from polydiff.errors import UsageError

RNG = np.random.default_rng(0)
POINTS = RNG.standard_normal((200, 3)).astype(np.float32)
NORMALS = (POINTS / np.linalg.norm(POINTS, axis=1, keepdims=True)).astype(np.float32)
CLOUD = PointCloud(POINTS, NORMALS, RNG.random((200, 3)).astype(np.float32))
BARE = PointCloud(POINTS)
ALL = [Rotate(), Rotate("any", 30), Scale(), Scale(axes="each"), Jitter(), Dropout()]


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("augmentation", ALL)
def test_all_randomness_is_the_generator_s(augmentation):
    once, again, other = (augmentation(CLOUD, rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(once.points, again.points)
    assert not np.array_equal(once.points, other.points)
    bare = augmentation(BARE, rng(1))
    assert np.array_equal(bare.points, once.points)
    assert bare.normals is bare.colors is None


@pytest.mark.parametrize("augmentation", ALL)
def test_types_stay_and_the_given_cloud_is_not_changed(augmentation):
    before = POINTS.copy()
    changed = augmentation(CLOUD, rng())
    assert changed.points.dtype == changed.normals.dtype == changed.colors.dtype == np.float32
    assert len(changed.points) == len(changed.normals) == len(changed.colors)
    assert np.array_equal(POINTS, before)


@pytest.mark.parametrize("augmentation", [Rotate(), Rotate("any"), Rotate("any", 30)])
def test_rotations_keep_distances_and_handedness(augmentation):
    changed = augmentation(CLOUD, rng())
    matrix = np.linalg.lstsq(POINTS.astype(np.float64), changed.points.astype(np.float64), rcond=None)[0]
    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-5)
    assert np.linalg.det(matrix) == pytest.approx(1, abs=1e-5)
    assert np.allclose(changed.normals, NORMALS @ matrix, atol=1e-5)
    assert changed.colors is CLOUD.colors


def angles(augmentation, count=2000):
    frame = PointCloud(np.eye(3, dtype=np.float32))
    draws = rng()
    turned = np.stack([augmentation(frame, draws).points for _ in range(count)]).astype(np.float64)
    traces = np.trace(turned, axis1=1, axis2=2)
    return turned, np.arccos(np.clip((traces - 1) / 2, -1, 1))


@pytest.mark.parametrize("degrees", [20, 180])
def test_about_the_upright_axis_angles_are_uniform(degrees):
    turned, angle = angles(Rotate(degrees=degrees))
    assert np.array_equal(turned[:, 1], np.tile([0.0, 1, 0], (len(turned), 1)))
    signed = np.sign(turned[:, 0, 2]) * angle
    assert stats.kstest(signed, "uniform", (-np.deg2rad(degrees), 2 * np.deg2rad(degrees))).pvalue > 0.01


def test_about_any_axis_all_orientations_are_equally_likely():
    turned, _ = angles(Rotate("any"))
    for row in range(3):
        for column in range(3):  # each coordinate of a point on a sphere is uniform (Archimedes)
            assert stats.kstest(turned[:, row, column], "uniform", (-1, 2)).pvalue > 0.001


@pytest.mark.parametrize("degrees", [40, 120, 180])
def test_about_any_axis_angles_are_those_of_uniform_rotations(degrees):
    _, angle = angles(Rotate("any", degrees))
    most = np.deg2rad(degrees)
    assert stats.kstest(angle, lambda a: (a - np.sin(a)) / (most - np.sin(most))).pvalue > 0.01


def test_no_degrees_are_no_rotation():
    for axis in ("up", "any"):
        assert np.array_equal(Rotate(axis, 0)(CLOUD, rng()).points, POINTS)


def test_scales_are_uniform_by_their_logarithm():
    draws, point = rng(), PointCloud(np.ones((1, 3), np.float32))
    factors = np.concatenate([Scale(0.5, 2)(point, draws).points for _ in range(2000)])
    assert np.array_equal(factors[:, 0], factors[:, 1])
    assert stats.kstest(np.log2(factors[:, 0]), "uniform", (-1, 2)).pvalue > 0.01
    each = np.log2(np.concatenate([Scale(0.5, 2, "each")(point, draws).points for _ in range(2000)]))
    assert np.abs(np.corrcoef(each.T) - np.eye(3)).max() < 0.1
    assert stats.kstest(each[:, 2], "uniform", (-1, 2)).pvalue > 0.01


def test_normals_stay_upright_on_a_scaled_surface():
    sphere = PointCloud(NORMALS, NORMALS)
    ellipsoid = Scale(0.5, 2, "each")(sphere, rng())
    factors = ellipsoid.points[0] / NORMALS[0]
    gradient = ellipsoid.points / factors**2  # of (x / a)^2 + (y / b)^2 + (z / c)^2
    assert np.allclose(ellipsoid.normals, gradient / np.linalg.norm(gradient, axis=1, keepdims=True), atol=1e-5)
    assert np.allclose(Scale(0.5, 2)(sphere, rng()).normals, NORMALS, atol=1e-6)


def test_jitter_is_gaussian():
    steps = np.concatenate([(Jitter(0.1)(CLOUD, rng(seed)).points - POINTS).ravel() for seed in range(10)])
    assert stats.kstest(steps / 0.1, "norm").pvalue > 0.01
    assert np.array_equal(Jitter(0)(CLOUD, rng()).points, POINTS)


def test_dropout_leaves_a_share_of_the_points_in_order():
    place = {row.tobytes(): index for index, row in enumerate(POINTS)}
    counts, draws = [], rng()
    for _ in range(500):
        kept = Dropout(0.4)(CLOUD, draws)
        places = [place[row.tobytes()] for row in kept.points]
        assert places == sorted(set(places))
        assert np.array_equal(kept.normals, NORMALS[places])
        assert np.array_equal(kept.colors, CLOUD.colors[places])
        counts.append(len(places))
    assert stats.kstest(1 - np.array(counts) / 200, "uniform", (0, 0.4)).pvalue > 0.01
    assert min(counts) < 130
    assert len(Dropout(0.99)(CLOUD[:1], rng())) == 1
    assert np.array_equal(Dropout(0)(CLOUD, rng()).points, POINTS)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Rotate(degrees=181), "degrees is 181; it must be from 0 to 180"),
    (lambda: Rotate(degrees=-1), "degrees is -1; it must be from 0 to 180"),
    (lambda: Scale(0, 1), "low is 0 and high 1; they go from low to high, above 0"),
    (lambda: Scale(2, 1), "low is 2 and high 1; they go from low to high, above 0"),
    (lambda: Jitter(-1), "std is -1; it must be at least 0"),
    (lambda: Dropout(1), "most is 1; it must be at least 0 and below 1"),
])  # fmt: skip
def test_options_out_of_range_are_refused(make, message):
    with pytest.raises(UsageError, match=message):
        make()

import numpy as np
import pytest
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.subset import Subsample, subset

from polydiff.errors import UsageError


def line(points: int) -> PointCloud:
    """Tell points by their first coordinate."""
    ramp = np.repeat(np.arange(points, dtype=np.float32)[:, None], 3, 1)
    return PointCloud(ramp, ramp)


def test_another_subset_in_every_epoch_and_the_same_in_the_same():
    draw = Subsample(100)
    first, again, other = (draw(line(400), np.random.default_rng(seed)).points[:, 0] for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert len(set(first)) == len(set(other)) == 100
    assert 5 < len(set(first) & set(other)) < 50  # 25 expected of independent draws


def test_every_point_is_drawn_as_often():
    rng = np.random.default_rng(0)
    counts = np.zeros(20)
    for _ in range(2000):
        counts[Subsample(5)(line(20), rng).points[:, 0].astype(int)] += 1
    assert np.abs(counts - 500).max() < 5 * np.sqrt(500 * 0.75)


def test_normals_go_with_their_points():
    drawn = Subsample(7)(line(30), np.random.default_rng(0))
    assert np.array_equal(drawn.points, drawn.normals)


def test_a_small_cloud_stays_whole():
    cloud = line(30)
    assert Subsample(30)(cloud, np.random.default_rng(0)) is cloud
    assert Subsample(31)(cloud, np.random.default_rng(0)) is cloud


def test_the_fixed_subset_is_random_and_ascending():
    chosen = subset(1000, 100)
    assert np.array_equal(chosen, subset(1000, 100))
    assert (np.diff(chosen) > 0).all()
    assert abs(chosen.mean() - 500) < 5 * 290 / 10


def test_no_points_cannot_be_kept():
    with pytest.raises(UsageError, match="points is 0"):
        Subsample(0)

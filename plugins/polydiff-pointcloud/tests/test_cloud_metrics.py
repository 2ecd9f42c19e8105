"""Distances between clouds and between sets of them, on cases that can be computed by hand."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.distances import chamfer, chamfer_unsquared, emd
from polydiff_pointcloud.furniture import Furniture
from polydiff_pointcloud.metrics import compare, coverage, jsd, mmd, one_nna
from polydiff_pointcloud.occupancy import CELLS
from scipy.spatial.distance import cdist, jensenshannon

from polydiff.errors import DataError, UsageError


def clouds(*arrays):
    return [PointCloud(np.asarray(array, np.float32).reshape(-1, 3)) for array in arrays]


def at(*places):
    """Make clouds of one point on the x axis each."""
    return clouds(*([place, 0, 0] for place in places))


def random(count, points, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((count, points, 3)).astype(np.float32))


def test_chamfer_by_hand():
    x = torch.tensor([[[0.0, 0, 0], [2, 0, 0]]])
    y = torch.tensor([[[0.0, 1, 0], [0, 3, 0], [2, 0, 0]]])
    assert float(chamfer(x, y)) == pytest.approx((1 + 0) / 2 + (1 + 9 + 0) / 3)
    assert float(chamfer_unsquared(x, y)) == pytest.approx((1 + 0) / 2 + (1 + 3 + 0) / 3)


@pytest.mark.parametrize(("distance", "power"), [(chamfer, 2), (chamfer_unsquared, 1)])
def test_chamfer_of_all_pairs_is_that_of_each(distance, power, monkeypatch):
    monkeypatch.setattr("polydiff_pointcloud.distances._PAIRS", 3000)  # two clouds at a time, and one left over
    x, y = random(4, 31) + 5, random(5, 40, seed=1) + 5
    table = distance(x, y)
    assert table.shape == (4, 5)
    for i, j in itertools.product(range(4), range(5)):
        between = cdist(x[i], y[j]) ** power
        expected = between.min(0).mean() + between.min(1).mean()
        assert float(table[i, j]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("distance", [chamfer, chamfer_unsquared, emd])
def test_a_set_with_itself_is_symmetric(distance):
    x = random(4, 20)
    table = distance(x, x)
    torch.testing.assert_close(table, distance(x, x.clone()), atol=2e-3, rtol=1e-5)
    assert torch.equal(table, table.T)
    assert not table.diagonal().any()


def test_emd_is_the_best_of_all_matchings():
    x, y = random(2, 5), random(2, 5, seed=1)
    for i, j in itertools.product(range(2), range(2)):
        costs = cdist(x[i], y[j])
        best = min(costs[range(5), order].mean() for order in itertools.permutations(range(5)))
        assert float(emd(x, y)[i, j]) == pytest.approx(best, rel=1e-6)


def test_emd_counts_how_many_points_are_where():
    """Both clouds fill the same two places; all Chamfer distances are 0."""
    one, other = torch.zeros(1, 4, 3), torch.zeros(1, 4, 3)
    one[0, 0, 0] = other[0, :3, 0] = 1
    assert float(chamfer(one, other)) == 0
    assert float(emd(one, other)) == pytest.approx(2 / 4)


def test_measures_of_shapes_by_hand():
    """Generated 0, 1 and 10; real 2, 12 and 14, all on one line; Chamfer distances are twice the squares."""
    record = compare(at(0, 1, 10), at(2, 12, 14))
    # The nearest others: 0 -> 1 same, 1 -> 0 and 2 alike, 10 -> 12; 2 -> 1, 12 -> 10 and 14 alike, 14 -> 12 same.
    assert record["one_nna"] == pytest.approx((1 + 0.5 + 0 + 0 + 0.5 + 1) / 6)
    assert record["coverage"] == pytest.approx(2 / 3)  # 2 of 0 and 1, 12 of 10
    assert record["mmd"] == pytest.approx(2 * (1 + 4 + 16) / 3)
    assert record["real_against_real"] is None


def test_copies_of_the_real_shapes_look_perfect():
    real = at(*range(6))
    record = compare(real, real)
    assert record["coverage"] == 1
    assert record["mmd"] == 0
    assert record["one_nna"] == 0  # the nearest other is the copy, of the other set


def test_one_shape_over_and_over():
    record = compare(at(0, 0, 0, 0), at(0.1, 5, 6, 7))
    assert record["coverage"] == 1 / 4
    assert record["one_nna"] == pytest.approx((4 + 3) / 8)


def test_separate_sets_are_told_apart():
    assert one_nna(at(0, 1, 2, 3), at(100, 101, 102, 103))["value"] == 1


def test_two_halves_of_real_shapes_are_not_told_apart():
    """1-NNA of independent sets is 50 %; its standard deviation for 2 x 80 shapes is about 4 %, ties in mind 6 %."""
    source = Furniture(count=160, points=128)
    shapes = [source[i].content for i in np.random.default_rng(0).permutation(160)]
    record = compare(shapes[:80], shapes[80:])
    assert abs(record["one_nna"] - 0.5) < 0.13
    assert record["coverage"] > 0.4
    noise = [PointCloud(np.random.default_rng(i).standard_normal((128, 3)).astype(np.float32) / 2) for i in range(80)]
    worse = compare(noise, shapes[80:])
    assert worse["one_nna"] > 0.95
    assert worse["mmd"] > record["mmd"]
    assert jsd(noise, shapes[80:])["value"] > 1.5 * jsd(shapes[:80], shapes[80:])["value"]


def test_single_values_are_those_of_the_comparison():
    generated, real = at(0, 1, 10), at(2, 12, 14, 15, 30)
    record = compare(generated, real, distance="emd")
    for name, metric in (("one_nna", one_nna), ("coverage", coverage), ("mmd", mmd)):
        single = metric(generated, real, distance="emd")
        assert single["value"] == record[name]
        assert single["real_against_real"]["value"] == record["real_against_real"][name]
        assert json.loads(json.dumps(single))["distance"]["name"] == "emd"


def test_the_record_says_what_the_number_depends_on():
    shapes = clouds(*random(6, 30).numpy())
    record = compare(shapes[:2], shapes[2:], points=20, normalize="unit-box")
    assert record["generated"] == {"count": 2, "points": 20}
    assert record["real"] == {"count": 4, "points": 20}
    assert record["normalize"] == "unit-box"
    assert record["real_against_real"]["counts"] == [2, 2]
    assert "squared" in record["distance"]["formula"]


def test_size_does_not_count_when_normalised():
    shapes = clouds(*random(4, 30).numpy())
    larger = clouds(*(7 * each.points + 1 for each in shapes))
    assert compare(larger, shapes, normalize="unit-sphere")["mmd"] == pytest.approx(0, abs=1e-6)
    assert compare(larger, shapes)["mmd"] > 1


def test_jsd_of_known_occupancies():
    """Half of the points of one set are where all of the other are: m is (3/4, 1/4)."""
    record = jsd(at(0, 10), at(0, 0, 10, 10))
    assert record["value"] == 0
    real = at(0, 10)
    expected = jensenshannon([0.5, 0.5], [1, 0], base=2) ** 2
    assert jsd(at(0, 0), real)["value"] == pytest.approx(expected)
    assert expected == pytest.approx((math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5 * math.log2(2)) / 2)
    assert jsd(at(10, 10), at(0, 0))["value"] == 1


def test_jsd_tells_voxels_apart_and_what_is_outside():
    side = 2 / CELLS
    real = clouds([[-1, -1, -1], [1, 1, 1], [side / 2, side / 2, side / 2]])
    within = clouds([[-1, -1, -1], [1, 1, 1], [side / 4, side / 4, side / 4]])
    beside = clouds([[-1, -1, -1], [1, 1, 1], [-side / 4, side / 2, side / 2]])
    assert jsd(within, real)["value"] == 0
    assert jsd(beside, real)["value"] == pytest.approx(1 / 3)
    away = jsd(clouds([[-1, -1, -1], [9, 9, 9], [side / 2, side / 2, side / 2]]), real)
    assert (away["value"], away["outside"]) == (0, pytest.approx(1 / 3))


@pytest.mark.parametrize("metric", [compare, one_nna, coverage, mmd])
def test_what_cannot_be_compared_is_refused(metric):
    shapes = clouds(*random(3, 30).numpy())
    with pytest.raises(UsageError, match="at least 2 generated and 2 real clouds"):
        metric(shapes[:1], shapes)
    with pytest.raises(UsageError, match="did you mean 'chamfer'"):
        metric(shapes, shapes, distance="champfer")
    with pytest.raises(UsageError, match="40 points cannot be drawn"):
        metric(shapes, shapes, points=40)
    with pytest.raises(UsageError, match=r"10 to 30 points; points=10 draws"):
        metric([*shapes, shapes[0][:10]], shapes)
    with pytest.raises(UsageError, match="equally many points, not 10 and 30; points=10"):
        metric([each[:10] for each in shapes], shapes, distance="emd")
    broken = PointCloud(np.full((30, 3), np.nan, np.float32))
    with pytest.raises(DataError, match="real cloud 1 is not finite"):
        metric(shapes, [shapes[0], broken])
    with pytest.raises(DataError, match="generated cloud 0 has no points"):
        metric([shapes[0][:0], shapes[1]], shapes)

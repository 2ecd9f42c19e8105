import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.points import FITTED, Points

from polydiff.errors import DataError, PolydiffError, UsageError


def cloud(points: int, seed: int = 0, *, normals: bool = False, colors: bool = False) -> PointCloud:
    rng = np.random.default_rng(seed)
    unit = rng.normal(size=(points, 3)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return PointCloud(
        rng.normal((1, -2, 0.5), (0.3, 0.1, 0.2), (points, 3)).astype(np.float32),
        unit if normals else None,
        rng.random((points, 3), np.float32) if colors else None,
    )


def fitted(codec: Points, clouds: list[PointCloud]) -> Points:
    codec.fit(iter(clouds))
    return codec


def test_the_data_are_brought_to_zero_mean_and_unit_variance_by_one_scale():
    clouds = [cloud(64, seed) for seed in range(20)]
    codec = fitted(Points(64), clouds)
    x = torch.stack([codec.encode(each) for each in clouds]).double()
    assert torch.allclose(x.mean((0, 2)), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert x.var((0, 2), correction=0).mean().item() == pytest.approx(1, abs=1e-6)
    every = np.concatenate([each.points for each in clouds])
    proportions = np.array([0.3, 0.1, 0.2]) / 0.3
    assert np.allclose(x.std((0, 2)) / x[:, 0].std(), proportions, atol=0.05)  # the axes keep theirs
    assert np.allclose(codec.center, every.mean(0), atol=1e-6)


def test_decoding_undoes_encoding_in_the_order_of_the_points():
    original = cloud(64, normals=True, colors=True)
    codec = fitted(Points(64, normals=True, colors=True), [original, cloud(64, 1, normals=True, colors=True)])
    x = codec.encode(original)
    assert x.shape == codec.shape == (9, 64)
    (again,) = codec.decode(x[None])
    for part in ("points", "normals", "colors"):
        decoded = getattr(again, part)
        assert decoded.dtype == np.float32
        assert np.allclose(decoded, getattr(original, part), atol=1e-6)


def test_without_normalisation_coordinates_come_back_bit_for_bit():
    original = cloud(32)
    codec = fitted(Points(32, normalize="none"), [original])
    assert torch.equal(codec.encode(original), torch.from_numpy(original.points.T.copy()))
    assert np.array_equal(codec.decode(codec.encode(original)[None])[0].points, original.points)


def test_normals_are_unit_vectors_and_colours_within_range_again():
    codec = Points(2, normals=True, colors=True)
    x = torch.tensor([[0.0, 0], [0, 0], [0, 0], [3, 0], [0, 0], [4, 0], [-1, 5], [0, 0], [1, -5]])
    (decoded,) = codec.decode(x[None])
    assert np.allclose(decoded.normals, [[0.6, 0, 0.8], [0, 1, 0]])
    assert np.allclose(decoded.colors, [[0, 0.5, 1], [1, 0.5, 0]])


def test_colours_lie_around_zero():
    colors = np.array([[0, 0.5, 1]], np.float32)
    x = Points(1, colors=True).encode(PointCloud(np.zeros((1, 3), np.float32), colors=colors))
    assert x[3:, 0].tolist() == [-1, 0, 1]


def test_of_more_points_the_same_random_subset_is_encoded():
    codec, large = Points(100), cloud(1000)
    x = codec.encode(large)
    assert torch.equal(x, codec.encode(large))
    rows = [int(np.flatnonzero((large.points == point).all(1)).item()) for point in x.T.numpy()]
    assert len(set(rows)) == 100  # each a point of the cloud, none twice
    assert max(rows) > 900
    assert min(rows) < 100  # from all of it


def test_parts_of_a_point_stay_together_in_a_subset():
    large = cloud(500, normals=True)
    x = Points(50, normals=True).encode(large)
    for point, normal in zip(x[:3].T.numpy(), x[3:].T.numpy(), strict=True):
        row = np.flatnonzero((large.points == point).all(1)).item()
        assert np.array_equal(large.normals[row], normal)


def test_too_few_points_are_refused_or_padded():
    small = cloud(30)
    with pytest.raises(DataError, match=r"30 points.*codec.points=30 takes fewer of all, codec.unequal=true pads"):
        Points(50).encode(small)
    codec = fitted(Points(50, unequal=True), [small])
    x, mask = codec.encode(small), codec.mask(small)
    assert mask.shape == (1, 50)
    assert mask[0].tolist() == [1] * 30 + [0] * 20
    assert torch.equal(x[:, 30:], torch.zeros(3, 20))
    assert torch.equal(codec.mask(cloud(80)), torch.ones(1, 50))
    assert Points(20).mask(small) is None


@pytest.mark.parametrize("size", ["1", "512", " 4096 ", "0256", "10000000"])
def test_any_number_of_points_can_be_asked_for(size):
    assert Points(512, normals=True).shape_for(size) == (6, int(size))


@settings(deadline=None, max_examples=50)
@given(st.text(max_size=12))
def test_sizes_are_read_or_refused(size):
    try:
        channels, points = Points().shape_for(size)
    except UsageError:
        return
    assert channels == 3
    assert points == int(size) >= 1


@pytest.mark.parametrize("size", ["0", "-5", "2.5", "96x64", "many", "", "10000001", "1e3"])
def test_nonsense_is_no_number_of_points(size):
    with pytest.raises(UsageError, match=f"'{size}' is no number of points"):
        Points().shape_for(size)


@pytest.mark.parametrize(
    ("options", "content", "message"),
    [
        ({}, PointCloud(np.zeros((0, 3), np.float32)), "has no points"),
        ({}, PointCloud(np.full((8, 3), np.nan, np.float32)), "not finite"),
        ({"normals": True}, cloud(8), "no normals; codec.normals=false does without"),
        ({"colors": True}, cloud(8), "no colors; codec.colors=false does without"),
        ({"normals": True}, PointCloud(np.zeros((8, 3), np.float32), np.full((8, 3), np.inf, np.float32)), "finite"),
    ],
)
def test_clouds_that_cannot_be_encoded_are_refused(options, content, message):
    with pytest.raises(DataError, match=message):
        Points(4, **options).encode(content)


def test_fitting_passes_over_what_cannot_be_encoded_and_stops_in_time():
    bad = PointCloud(np.full((64, 3), np.nan, np.float32))
    good = [cloud(64, seed) for seed in range(3)]
    codec, same = fitted(Points(64), [bad, *good]), fitted(Points(64), good)
    assert torch.equal(codec.center, same.center)
    assert torch.equal(codec.scale, same.scale)
    contents = iter([good[0]] * (FITTED + 5))
    fitted(Points(64), contents)
    assert len(list(contents)) >= 4


@pytest.mark.parametrize("clouds", [[], [PointCloud(np.full((9, 3), np.nan, np.float32))]])
def test_nothing_to_fit_leaves_coordinates_as_they_are(clouds):
    codec = fitted(Points(8), clouds)
    assert (codec.center.tolist(), codec.scale.item()) == ([0, 0, 0], 1)


def test_a_single_point_has_no_scale():
    codec = fitted(Points(1), [PointCloud(np.full((1, 3), 7, np.float32))])
    assert (codec.center.tolist(), codec.scale.item()) == ([7, 7, 7], 1)


def test_what_was_measured_is_saved_with_the_model():
    codec = fitted(Points(64), [cloud(64)])
    other = Points(64)
    other.load_state_dict(codec.state_dict())
    assert torch.equal(other.encode(cloud(64)), codec.encode(cloud(64)))


def test_samples_that_are_not_finite_are_refused():
    with pytest.raises(PolydiffError, match="the network has diverged"):
        Points(4).decode(torch.full((1, 3, 4), torch.nan))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"points": 0}, "points is 0"), ({"normalize": "unit"}, "normalize is 'unit'; say data or none")],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Points(**options)

import pytest
import torch
from polydiff_pointcloud.surroundings import FEATURES, surroundings
from polydiff_pointcloud.voxels import unit_cube


def cloud(points: int = 60) -> torch.Tensor:
    return torch.randn(2, points, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.5, 0.1])


def moments(points: torch.Tensor, resolution: int) -> torch.Tensor:
    """The definition, over all pairs in float64: (N, 10)."""
    places = (points.double() + 1) / 2 * (resolution - 1)
    weights = (1 - (places[:, None] - places.round()[None]).abs()).clamp(min=0).prod(2)
    total = weights.sum(1, keepdim=True)
    offsets = (points.double()[None] - points.double()[:, None]) * (resolution - 1) / 2
    mean = (weights[..., None] * offsets).sum(1) / total
    deviations = offsets - mean[:, None]
    covariance = torch.einsum("ij,ijk,ijl->ikl", weights, deviations, deviations) / total[..., None]
    upper = torch.triu_indices(3, 3)
    return torch.cat(((total / len(points)).log() / 4 + 1, mean, covariance[:, upper[0], upper[1]]), 1)


@pytest.mark.parametrize("resolution", [2, 5, 16])
def test_they_are_the_moments_of_all_points_weighted_by_trilinear_interpolation(resolution):
    points = cloud()
    features = surroundings(points, [resolution])
    for cube, each in zip(unit_cube(points), features, strict=True):
        assert torch.allclose(each.double(), moments(cube, resolution), atol=1e-4)


def test_several_scales_stand_side_by_side():
    points = cloud()
    both = surroundings(points, [4, 9])
    assert torch.equal(both, torch.cat((surroundings(points, [4]), surroundings(points, [9])), 2))
    assert both.shape == (2, 60, 2 * FEATURES)


def test_a_flat_cloud_shows_its_normal():
    """The covariance is least along it, and the mean leads back to the plane."""
    flat = cloud(400)
    flat[..., 2] = 0
    flat[0, 0, 2] = 0.3
    features = surroundings(flat, [6])[0]
    assert (features[1:, 9] < features[1:, 4] / 10).float().mean() > 0.9
    assert features[0, 3] < -0.05


def test_padding_is_no_neighbour():
    points = cloud()
    real = torch.arange(60) < torch.tensor([[60], [35]])
    padded = points.masked_fill(~real[..., None], 20.0)
    features = surroundings(padded, [3, 12], real)
    assert features.isfinite().all()
    assert torch.allclose(features[1, :35], surroundings(points[1:, :35], [3, 12])[0], atol=1e-5)


def test_as_many_points_again_change_nothing():
    points = cloud()
    twice = surroundings(torch.cat((points, points), 1), [8])
    assert torch.allclose(twice[:, :60], surroundings(points, [8]), atol=1e-4)


@pytest.mark.parametrize("points", [1, 2])
def test_hardly_any_neighbours(points):
    assert surroundings(torch.zeros(1, points, 3), [8, 32]).isfinite().all()

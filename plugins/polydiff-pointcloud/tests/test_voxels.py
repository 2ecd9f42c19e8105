import pytest
import torch
from polydiff_pointcloud.voxels import Voxels, unit_cube


def points(batch: int = 2, count: int = 50) -> torch.Tensor:
    return torch.rand(batch, count, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float32) * 2 - 1


def test_a_cloud_just_fits_the_cube_and_keeps_its_proportions():
    cloud = torch.tensor([[[1.0, 10, 5], [3, 10, 6], [2, 14, 5]]])
    cube = unit_cube(cloud)
    assert torch.allclose(cube, torch.tensor([[[-0.5, -1, -0.25], [0.5, -1, 0.25], [0, 1, -0.25]]]))
    assert torch.allclose(unit_cube(100 * cloud + 7), cube, atol=1e-4)


def test_padding_has_no_part_in_the_extent():
    cloud = points(1, 8)
    padded = torch.cat((cloud, torch.full((1, 3, 3), 50.0)), 1)
    real = torch.arange(11)[None] < 8
    assert torch.equal(unit_cube(padded, real)[:, :8], unit_cube(cloud))
    assert unit_cube(padded, real).abs().max() <= 1


def test_a_single_point_lies_at_the_origin():
    assert unit_cube(torch.full((1, 1, 3), 4.0)).tolist() == [[[0, 0, 0]]]


@pytest.mark.parametrize("resolution", [2, 3, 8])
def test_the_mean_is_that_of_the_points_nearest_to_each_centre(resolution):
    cube = points()
    h = torch.randn(2, 50, 5, generator=torch.Generator().manual_seed(1))
    real = torch.rand(2, 50, generator=torch.Generator().manual_seed(2)) > 0.3
    grid = Voxels.of(cube, resolution, real).mean(h)
    centres = torch.linspace(-1, 1, resolution)
    nearest = (cube[..., None] - centres).abs().argmin(-1)
    for b in range(2):
        for place in torch.cartesian_prod(*[torch.arange(resolution)] * 3):
            inside = (nearest[b] == place).all(1) & real[b]
            expected = h[b, inside].mean(0) if inside.any() else torch.zeros(5)
            assert torch.allclose(grid[(b, slice(None), *place.tolist())], expected, atol=1e-6)


def test_gather_is_exact_for_what_is_linear_between_centres():
    """A product of one linear function for each axis: what trilinear interpolation reproduces."""
    resolution, cube = 5, points()
    centres = torch.linspace(-1, 1, resolution)
    x, y, z = torch.meshgrid(centres, centres, centres, indexing="ij")

    def field(x, y, z):
        return torch.stack((1 + x + 2 * y - 3 * z, (1 + x) * (2 - y) * (0.5 + z)), -1)

    grid = field(x, y, z).permute(3, 0, 1, 2).expand(2, -1, -1, -1, -1)
    gathered = Voxels.of(cube, resolution).gather(grid)
    assert torch.allclose(gathered, field(*cube.unbind(2)), atol=1e-5)


def test_mean_and_gather_agree_at_the_centres():
    """Points at distinct centres get their own features back: no axis is swapped on the way."""
    centres = torch.linspace(-1, 1, 4)
    cube = torch.cartesian_prod(centres, centres, centres)[None]
    h = torch.randn(1, 64, 3, generator=torch.Generator().manual_seed(0))
    voxels = Voxels.of(cube, 4)
    assert torch.allclose(voxels.gather(voxels.mean(h)), h, atol=1e-5)

"""The autoencoder of clouds, its loss and measure, and the conformance kit on a model of its tokens."""

import math

import numpy as np
import pytest
import torch
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.distances import chamfer
from polydiff_pointcloud.fidelity import fidelity
from polydiff_pointcloud.points import Points
from polydiff_pointcloud.reconstruction import ChamferLoss
from polydiff_pointcloud.token_autoencoder import TokenAutoencoder, gaussian_sequence
from polydiff_pointcloud.token_transformer import TokenTransformer

from polydiff.core.condition import ConditionDims
from polydiff.errors import UsageError
from polydiff.generation.generate import generate
from polydiff.generation.request import Request
from polydiff.model.codec_model import CodecModel
from polydiff.plugins.host import host
from polydiff.plugins.specs import BackboneSpec
from polydiff.recipe.build import build
from polydiff.recipe.load import load_recipe
from polydiff.testing import ModalityConformance, train_codec


def clouds(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def network():
    torch.manual_seed(0)
    made = TokenAutoencoder((3, 64), tokens=8, latent=4, width=32, grids=(4,))
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def test_chamfer_loss_is_the_chamfer_distance():
    y, x = clouds(4, 3, 20), clouds(4, 3, 30, seed=1)
    expected = chamfer(y.transpose(1, 2), x.transpose(1, 2)).diag()
    assert torch.allclose(ChamferLoss()(y, x).double(), expected, rtol=1e-4)
    shuffled = x[..., torch.randperm(30)]
    assert torch.allclose(ChamferLoss()(y, shuffled), ChamferLoss()(y, x))


def test_chamfer_loss_pulls_a_point_to_its_neighbour():
    """d/da of |a - b|^2 + |b - a|^2 is 4 (a - b)."""
    a, b = clouds(1, 3, 1).requires_grad_(), clouds(1, 3, 1, seed=1)
    ChamferLoss()(a, b).sum().backward()
    assert torch.allclose(a.grad, 4 * (a - b).detach())


def test_fidelity_is_in_the_clouds_own_units():
    one, other = (PointCloud(np.float32([[0, 0, z]])) for z in (0, 3))
    assert fidelity(one, other) == {"chamfer": 18.0, "chamfer_unsquared": 6.0}


@pytest.mark.parametrize("count", [64, 500, 4000])
def test_every_beginning_of_the_sequence_is_gaussian(count):
    """Far closer than as many random points would be, whose means err by 1 / sqrt(count), about."""
    points = gaussian_sequence(4000)[:count].double()
    assert points.isfinite().all()
    assert points.mean(0).abs().max() < 0.3 / count**0.5
    assert (torch.cov(points.T) - torch.eye(3)).abs().max() < 1 / count**0.5
    assert torch.equal(gaussian_sequence(count), gaussian_sequence(4000)[:count])


def test_tokens_do_not_know_the_order_of_the_points(network):
    x = clouds(2, 3, 64)
    mean = network.encode(x).mean
    assert mean.shape == (2, *network.latent_shape((3, 64)))
    assert torch.allclose(network.encode(x[..., torch.randperm(64)]).mean, mean, atol=1e-4)
    assert not torch.allclose(network.encode(x + 0.5).mean, mean, atol=1e-2)


def test_a_cloud_comes_of_all_tokens(network):
    z = clouds(2, 4, 8)
    y = network.decode(z)
    assert y.shape == (2, 3, 64)
    assert torch.allclose(network.decode(z[1:])[0], y[1], atol=1e-5)
    for token in range(8):
        changed = z.clone()
        changed[..., token] += 1
        assert not torch.allclose(network.decode(changed), y, atol=1e-3)


def test_fewer_points_are_the_first_of_them(network):
    assert network.latent_shape((3, 16)) == (4, 8)
    with pytest.raises(UsageError, match="65 points are more than the 64 that the codec was trained to decode"):
        network.latent_shape((3, 65))
    codec = Points(64)
    cloud = codec.decode(clouds(1, 3, 64))[0]
    assert np.array_equal(codec.cut(cloud, "16").points, cloud.points[:16])


def test_checkpointing_changes_no_gradient():
    x, eps, gradients = clouds(2, 3, 64), clouds(2, 4, 8), []
    for checkpoint in (False, True):
        torch.manual_seed(0)
        made = TokenAutoencoder((3, 64), tokens=8, latent=4, width=32, grids=(4,), checkpoint=checkpoint)
        ChamferLoss()(made(x, eps)[0], x).sum().backward()
        gradients.append([p.grad for p in made.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


@pytest.mark.parametrize(("options", "message"), [({"tokens": 0}, "tokens is 0"), ({"grids": (1,)}, "grids is 1")])
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        TokenAutoencoder((3, 64), **options)


def test_the_transformer_takes_the_tokens_that_it_was_made_for():
    network = TokenTransformer(4, ConditionDims(vector=8), tokens=8, width=32, layers=2)
    network.check_shape((4, 8))
    with pytest.raises(UsageError, match="the data are 4 x 9; this network takes 4 channels of 8 tokens"):
        network.check_shape((4, 9))


def test_the_presets_fit_together():
    codec = CodecModel.from_config(load_recipe(host().preset("furniture-codec"))).codec
    chosen = load_recipe(host().preset("furniture-latent")).backbone
    backbone = build(BackboneSpec, chosen, data_channels=codec.channels, condition=ConditionDims(vector=8))
    backbone.check_shape(codec.shape)
    numbers = [math.prod(shape) for shape in (codec.shape, codec.codec.shape)]
    assert numbers[0] <= numbers[1] / 2


class TestLatents(ModalityConformance):
    """On tokens of small clouds, with labels."""

    recipe = "furniture-latent"
    round_trip_error = 0.9  # of an autoencoder that has seen some hundred clouds

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def codec(cls, tmp_path_factory):
        data = "data={source: {name: furniture, count: 100, points: 256}, augment: [{name: subsample, points: 128}]}"
        network = "autoencoder={name: token-autoencoder, tokens: 8, latent: 4, width: 32, grids: [4], rounds: 1}"
        changes = ("codec.points=128", data, network, "train.steps=60", "train.batch=8", "train.optimizer.warmup=10")
        folder = train_codec("furniture-codec", changes, tmp_path_factory.mktemp("codec"))
        cls.overrides = (
            f"codec.of={folder}",
            "data={source: {name: furniture, count: 100, points: 256}}",
            "backbone={name: token-transformer, tokens: 8, width: 64, layers: 2}",
            "train.steps=80",
            "train.batch=16",
            "train.optimizer.warmup=10",
            "train.validation.samples=64",
            "train.preview.samples=4",
        )

    def test_generated_files_can_be_read(self, parts, trained, tmp_path):
        """Points; meshes of clouds that mean nothing yet are a matter of minutes."""
        records = generate(trained.folder, Request(count=2, conditions={"label": "all"}), tmp_path, accelerator="cpu")
        for record in records:
            (tmp_path / record["file"]).rename(tmp_path / "cloud.ply")
            assert len(self.read(tmp_path / "cloud.ply", "pointcloud")) == 128

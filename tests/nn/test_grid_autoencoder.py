import pytest
import torch

from polydiff.errors import UsageError
from polydiff.nn.antialiased import AntialiasedDownsample, AntialiasedUpsample
from polydiff.nn.block import BlockOptions
from polydiff.nn.grid_autoencoder import GridAutoencoder
from polydiff.nn.unet import Level

LEVELS = (Level(8, 1), Level(16, 0, factor=2), Level(16, 2, attention=True, factor=4))


def autoencoder(dimension=2, channels=3, checkpoint=False, **how):
    options = BlockOptions(head_width=8, checkpoint=checkpoint)
    return GridAutoencoder(dimension, (channels, *(16,) * dimension), 5, LEVELS, options, **how)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_shapes_are_those_it_tells(dimension):
    network = autoencoder(dimension)
    shape = 3, *(16, 8, 24)[:dimension]
    latent = network.latent_shape(shape)
    assert latent == (5, *(2, 1, 3)[:dimension])
    posterior = network.encode(torch.randn(2, *shape))
    assert posterior.mean.shape == posterior.log_variance.shape == (2, *latent)
    assert network.decode(posterior.mean).shape == (2, *shape)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((3, 16, 20), "20 x 16 is not a multiple of 8, the network's factor; nearest: 16 x 16 or 24 x 16"),
        ((1, 16, 16), "the data have 1 channels; this network takes 3"),
        ((3, 16), "the data have 1 dimensions; this network takes 2"),
    ],
)
def test_other_shapes_are_refused(shape, message):
    with pytest.raises(UsageError, match=message):
        autoencoder().latent_shape(shape)


def test_each_sample_is_on_its_own(randomised):
    network = randomised(autoencoder(1, down=AntialiasedDownsample, up=AntialiasedUpsample))
    x, eps = torch.randn(3, 3, 16), torch.randn(3, 5, 2)
    y, _ = network(x, eps)
    alone, _ = network(x[1:2], eps[1:2])
    assert torch.allclose(alone[0], y[1], atol=1e-5)
    assert not torch.allclose(network(x, eps + 1)[0], y, atol=1e-2)


def test_every_parameter_takes_part(randomised):
    network = randomised(autoencoder()).train()
    y, posterior = network(torch.randn(2, 3, 16, 16), torch.randn(2, 5, 2, 2))
    (y.square().mean() + posterior.kl().mean()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_checkpointing_changes_no_gradient(randomised):
    x, eps = torch.randn(2, 3, 16, 16), torch.randn(2, 5, 2, 2)
    gradients = []
    for checkpoint in (False, True):
        network = randomised(autoencoder(checkpoint=checkpoint)).train()
        network(x, eps)[0].square().mean().backward()
        gradients.append([p.grad for p in network.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))


def test_latents_have_a_channel():
    with pytest.raises(UsageError, match="latent is 0; it must be at least 1"):
        GridAutoencoder(2, (3, 16, 16), 0, LEVELS, BlockOptions(head_width=8))

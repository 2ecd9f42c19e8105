import pytest
import torch
from torch import nn

from polydiff.nn.convolution import convolution, zeroed
from polydiff.nn.norm import AdaptiveGroupNorm, group_norm, groups
from polydiff.nn.resampling import Downsample, SubpixelUpsample, Upsample
from polydiff.nn.residual import ResidualBlock

SIZES = {1: (12,), 2: (12, 6), 3: (6, 12, 6)}


@pytest.mark.parametrize(
    ("width", "expected"), [(1, 1), (4, 1), (6, 1), (8, 2), (32, 8), (50, 10), (64, 16), (128, 32), (192, 32)]
)
def test_groups_have_four_channels_or_more(width, expected):
    assert groups(width) == expected
    assert width % expected == 0


def test_adaptive_norm_scales_and_shifts_the_normalised_input(randomised):
    norm = randomised(AdaptiveGroupNorm(8, 5))
    x, embedding = torch.randn(3, 8, 4, 4), torch.randn(3, 5)
    scale, shift = norm.scale_shift(embedding).view(3, 2, 8, 1, 1).unbind(1)
    grouped = x.view(3, 2, -1)
    plain = (grouped - grouped.mean(2, True)) / (grouped.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(norm(x, embedding), (1 + scale) * plain.view_as(x) + shift, atol=1e-5)


@pytest.mark.parametrize("make", [lambda: group_norm(16), lambda: AdaptiveGroupNorm(16, 4)])
def test_norms_keep_channels_last(make):
    x = torch.randn(2, 16, 6, 6).contiguous(memory_format=torch.channels_last)
    norm = make()
    out = norm(x) if isinstance(norm, nn.GroupNorm) else norm(x, torch.randn(2, 4))
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_residual_block_starts_as_the_identity_or_a_projection(dimension):
    x, embedding = torch.randn(2, 8, *SIZES[dimension]), torch.randn(2, 4)
    assert torch.equal(ResidualBlock(dimension, 8, 8, 4)(x, embedding), x)
    projection = ResidualBlock(dimension, 8, 12, 4)
    assert torch.equal(projection(x, embedding), projection.skip(x))


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_residual_block_depends_on_the_embedding(dimension, randomised):
    block = randomised(ResidualBlock(dimension, 8, 12, 4))
    x = torch.randn(2, 8, *SIZES[dimension])
    out, other = block(x, torch.zeros(2, 4)), block(x, torch.ones(2, 4))
    assert out.shape == (2, 12, *SIZES[dimension])
    assert (out - other).abs().mean() > 0.01


def test_dropout_acts_in_training_only(randomised):
    block = randomised(ResidualBlock(2, 8, 8, 4, dropout=0.5))
    x, embedding = torch.randn(2, 8, 4, 4), torch.randn(2, 4)
    assert torch.equal(block(x, embedding), block(x, embedding))
    block.train()
    assert not torch.equal(block(x, embedding), block(x, embedding))


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("factor", [1, 2, 3, 6])
def test_resampling_divides_and_multiplies_every_size_by_its_factor(dimension, factor):
    sizes = SIZES[dimension]
    small = Downsample(dimension, 4, 6, factor)(torch.randn(2, 4, *sizes))
    assert small.shape == (2, 6, *(size // factor for size in sizes))
    assert Upsample(dimension, 6, 4, factor)(small).shape == (2, 4, *sizes)
    assert SubpixelUpsample(dimension, 6, 4, factor)(small).shape == (2, 4, *sizes)


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_downsampling_sees_every_input(factor):
    x = torch.randn(1, 1, 24, requires_grad=True)
    down = Downsample(1, 1, 1, factor)
    nn.init.ones_(down.conv.weight)
    (gradient,) = torch.autograd.grad(down(x).sum(), x)
    assert gradient.min() >= 1


def test_upsampling_repeats_then_convolves():
    up = Upsample(1, 1, 1, 3)
    with torch.no_grad():
        up.conv.weight.copy_(torch.tensor([[[0.0, 1.0, 0.0]]]))
        up.conv.bias.zero_()
    assert up(torch.tensor([[[1.0, 2.0]]])).tolist() == [[[1.0, 1.0, 1.0, 2.0, 2.0, 2.0]]]


def test_subpixel_upsampling_lays_channels_side_by_side():
    up = SubpixelUpsample(2, 1, 1, 2)
    with torch.no_grad():
        up.conv.weight.zero_()
        up.conv.weight[:, 0, 1, 1] = torch.tensor([1.0, 2.0, 3.0, 4.0])
        up.conv.bias.zero_()
    x = torch.tensor([[[[1.0, 10.0]]]])
    assert up(x).tolist() == [[[[1.0, 2.0, 10.0, 20.0], [3.0, 4.0, 30.0, 40.0]]]]


def test_zeroed_modules_give_zero():
    out = zeroed(convolution(2, 3, 5))(torch.randn(2, 3, 4, 4))
    assert torch.equal(out, torch.zeros(2, 5, 4, 4))

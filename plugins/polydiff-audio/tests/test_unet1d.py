import math

import pytest
import torch
from polydiff_audio.unet1d import UNet1D
from torch import Tensor

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBlock
from polydiff.nn.block import BlockOptions
from polydiff.nn.unet import Level, UNet

NONE = ConditionDims()
DIMS = ConditionDims(vector=5, tokens=6, channels=2)


def small(data_channels: int = 1, condition: ConditionDims = NONE, **options) -> UNet1D:
    defaults = {"channels": 8, "multipliers": (1, 2), "factors": 4, "blocks": 1, "attention": (-1,), "head_width": 8}
    return UNet1D(data_channels, condition, **{**defaults, **options})


def shaken(model: UNet) -> UNet:
    """Give it outputs other than zero."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.1)
    return model.requires_grad_(False).eval()


def sounds(batch: int = 3, channels: int = 1, length: int = 64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, channels, length, generator=generator), torch.linspace(-15, 15, batch)


def attended(model: UNet1D) -> list[list[bool]]:
    """For each level on the way down, the middle, and each level on the way up: which blocks have attention."""
    ways = [*(level.blocks for level in model.down), model.middle, *(level.blocks for level in model.up[::-1])]
    return [[isinstance(block.attention, AttentionBlock) for block in blocks] for blocks in ways]


def test_the_defaults_are_sized_for_waveforms():
    model = UNet1D(1, NONE)
    assert model.factor == 4 * 4 * 4 * 2 * 2
    assert 7e6 < sum(parameter.numel() for parameter in model.parameters()) < 9e6
    widths = [level.blocks[0].residual.conv2.out_channels for level in model.up]
    assert widths[0] * 16 == widths[-1] == max(widths)
    assert attended(model)[-2:] == [[False] * 2, [False]]
    assert attended(model)[4:7] == [[True], [True], [True, False]]


@pytest.mark.parametrize(("channels", "length"), [(1, 256), (2, 16_384), (1, 768)])
def test_waveforms_of_any_length_that_the_factor_divides(channels, length):
    model = UNet1D(channels, NONE)
    model.check_shape((channels, length))
    x, log_snr = sounds(1, channels, length)
    assert torch.equal(model(x, log_snr), torch.zeros_like(x))  # and starts at zero


@pytest.mark.parametrize("frames", [2, 96, 130])
def test_frames_of_spectra_bring_their_bins_as_channels(frames):
    model = shaken(small(129, multipliers=(1, 2), factors=2))
    model.check_shape((129, frames))
    x, log_snr = sounds(2, 129, frames)
    out = model(x, log_snr)
    assert out.shape == x.shape
    assert out.std() > 0.1


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 16_000), "a length of 16000 is not a multiple of 256, the network's factor; nearest: 15872 or 16128"),
        ((1, 100), "nearest: 256$"),
        ((2, 256), "2 channels; this network takes 1"),
        ((1, 16, 16), "2 dimensions; this network takes 1"),
    ],
)
def test_other_shapes_are_refused_with_the_nearest_lengths(shape, message):
    with pytest.raises(UsageError, match=message):
        UNet1D(1, NONE).check_shape(shape)


def test_no_condition_and_the_null_condition_are_bit_identical():
    model = shaken(small(1, DIMS))
    x, log_snr = sounds()
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    cond = Condition(torch.ones(3, 5), torch.ones(3, 2, 6), mask, torch.ones(3, 2, 64))
    unconditional = model(x, log_snr)
    assert torch.equal(model(x, log_snr, cond.null()), unconditional)
    assert (model(x, log_snr, cond) - unconditional).abs().amax((1, 2)).min() > 1e-3


def test_each_sound_is_processed_on_its_own():
    model = shaken(small())
    x, log_snr = sounds(4)
    alone = torch.cat([model(x[i : i + 1], log_snr[i : i + 1]) for i in range(4)])
    assert torch.allclose(model(x, log_snr), alone, atol=1e-5)


@pytest.mark.parametrize(
    ("attention", "expected"),
    [
        ((), [[], [False], [False] * 2, [False] * 2, [False] * 3, [False] * 2, [False]]),
        ((-1,), [[], [False], [True] * 2, [True, False], [True] * 3, [False] * 2, [False]]),
        ((0, -2), [[], [True], [False] * 2, [False] * 2, [False] * 3, [True] * 2, [True]]),
    ],
)
def test_blocks_and_attention_stand_at_the_levels_asked_for(attention, expected):
    model = small(multipliers=(1, 2, 2), factors=(4, 3), blocks=(0, 1, 2), attention=attention)
    assert attended(model) == expected
    assert model.factor == 12


def test_a_number_for_all_levels_is_that_of_each():
    one, each = (
        small(multipliers=(1, 2, 2), factors=2, blocks=2),
        small(multipliers=(1, 2, 2), factors=(2, 2), blocks=(2,) * 3),
    )
    assert {n: p.shape for n, p in one.named_parameters()} == {n: p.shape for n, p in each.named_parameters()}


def test_the_output_moves_with_the_sound():
    """Changes of resolution that alias let it depend on where the strides fall, ten times as much."""

    def dependence(model: UNet) -> float:
        """Measure the variance over shifts, in that of the output."""
        moments = torch.arange(2048.0)
        x = (torch.sin(2 * math.pi * moments / 97) + torch.sin(2 * math.pi * moments / 61))[None, None]
        outputs = [model(x.roll(shift, -1), torch.zeros(1)).roll(-shift, -1) for shift in range(4)]
        inside = torch.cat(outputs)[..., 256:-256]  # what the ends, and their zeros beyond, do not reach
        return float(inside.var(0).mean() / inside.var())

    torch.manual_seed(0)
    plain = shaken(UNet(1, 1, NONE, [Level(8, 1), Level(16, 1, factor=4)], BlockOptions(), embedding=16))
    assert dependence(shaken(small(attention=()))) < 1e-3
    assert dependence(plain) > 1e-2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels must be at least 1"),
        ({"multipliers": ()}, "multipliers must be at least 1"),
        ({"multipliers": (1, 0)}, "multipliers must be at least 1"),
        ({"blocks": -1}, "blocks must be at least 0"),
        ({"blocks": (1, -1)}, "blocks must be at least 0"),
        ({"blocks": (1,)}, "blocks are 1 numbers for 2 levels; give 2, or one for all"),
        ({"factors": (2, 2)}, "factors are 2 numbers for 1 steps between 2 levels; give 1, or one for all"),
        ({"factors": 0}, "factors must be at least 1"),
        ({"head_width": 0}, "head_width must be at least 1"),
        ({"head_width": 5}, "head_width 5 does not divide the widths with attention, 16; 4 does"),
        ({"dropout": 1.0}, r"dropout is 1.0; it lies in \[0, 1\)"),
        ({"attention": (2,)}, "attention at level 2: there are levels 0 to 1"),
        ({"attention": (-3,)}, "attention at level -3: there are levels 0 to 1"),
        ({"attention_backend": "flash"}, "unknown attention backend 'flash'"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        small(**options)

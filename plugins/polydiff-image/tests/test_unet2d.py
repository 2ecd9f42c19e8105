import copy

import pytest
import torch
from polydiff_image.unet2d import UNet2D

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.attention import AttentionBlock

NONE = ConditionDims()


def small(data_channels: int = 1, condition: ConditionDims = NONE, **options) -> UNet2D:
    defaults = {"channels": 8, "multipliers": (1, 2), "blocks": 1, "head_width": 8}
    return UNet2D(data_channels, condition, **{**defaults, **options})


def attended(model: UNet2D) -> list[list[bool]]:
    """For each level on the way down, then the middle: which blocks have attention."""
    ways = [*(level.blocks for level in model.down), model.middle]
    return [[isinstance(block.attention, AttentionBlock) for block in blocks] for blocks in ways]


@pytest.mark.parametrize("size", [(8, 8), (2, 6), (10, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_height_and_width_that_the_factor_divides(size, channels):
    model = small(channels)
    model.check_shape((channels, *size))
    x = torch.randn(2, channels, *size)
    assert model(x, torch.zeros(2)).shape == x.shape


def test_other_sizes_are_refused_with_the_nearest():
    with pytest.raises(
        UsageError, match="32 x 30 is not a multiple of 8, the network's factor; nearest: 32 x 24 or 32 x 32"
    ):
        small(multipliers=(1, 1, 2, 2)).check_shape((1, 30, 32))


@pytest.mark.parametrize(
    ("attention", "expected"),
    [
        ((), [[False], [False], [False], [False, False]]),
        ((-1,), [[False], [False], [True], [True, False]]),
        ((1, 2), [[False], [True], [True], [True, False]]),
        ((0, -3), [[True], [False], [False], [False, False]]),
    ],
)
def test_attention_stands_at_the_levels_asked_for(attention, expected):
    assert attended(small(multipliers=(1, 2, 2), attention=attention)) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 0}, "channels must be at least 1"),
        ({"multipliers": ()}, "multipliers must be at least 1"),
        ({"multipliers": (1, 0)}, "multipliers must be at least 1"),
        ({"blocks": 0}, "blocks must be at least 1"),
        ({"layout": -1}, "layout is -1; it is at least 0"),
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


@pytest.mark.parametrize("channels", [1, 3])
def test_all_activations_and_weights_are_channels_last(channels):
    """A change of memory format in the middle of the network costs a copy each time."""
    model = small(channels, multipliers=(1, 2, 2))
    changed = []

    def note(module: torch.nn.Module, args: tuple, out: object) -> None:
        picture = isinstance(out, torch.Tensor) and out.ndim == 4 and module is not model
        if picture and not out.is_contiguous(memory_format=torch.channels_last):
            changed.append(module)

    for module in model.modules():
        module.register_forward_hook(note)
    model(torch.randn(2, channels, 8, 8), torch.zeros(2)).sum().backward()
    assert changed == []
    weights = [p for p in model.parameters() if p.ndim == 4]
    assert all(p.is_contiguous(memory_format=torch.channels_last) for p in weights)
    assert all(p.grad.stride() == p.stride() for p in weights)  # or data-parallel training copies them


def test_copies_and_loaded_weights_stay_channels_last():
    model, other = small(), small()
    other.load_state_dict({name: value.contiguous() for name, value in model.state_dict().items()})
    for loaded in (other, copy.deepcopy(model)):
        for name, value in loaded.state_dict().items():
            assert torch.equal(value, model.state_dict()[name])
            assert value.stride() == model.state_dict()[name].stride()


def test_a_short_training_learns_to_tell_conditions_apart():
    """Two classes with opposite pictures: the network is to give the picture of the class it is told."""
    torch.manual_seed(0)
    model = small(condition=ConditionDims(vector=2))
    pictures = torch.tensor([-1.0, 1.0])[:, None, None, None].expand(2, 1, 4, 4)
    cond = Condition(vector=torch.eye(2))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(60):
        loss = (model(torch.randn(2, 1, 4, 4), torch.zeros(2), cond) - pictures).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        out = model(torch.randn(2, 1, 4, 4), torch.zeros(2), cond)
    assert (out - pictures).square().mean() < 0.1

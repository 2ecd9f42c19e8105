from functools import partial

import pytest
import torch
from torch import Tensor

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.block import BlockOptions
from polydiff.nn.convolution import convolution
from polydiff.nn.unet import Level, UNet

DIMS = ConditionDims(vector=5, tokens=6, channels=2)
LEVELS = [Level(8, 1), Level(16, 2, attention=True, factor=3), Level(16, 1, factor=2)]
SIZES = {1: (12,), 2: (12, 6), 3: (6, 6, 12)}


def unet(dimension: int = 2, levels: list[Level] = LEVELS, options=None, **kwargs) -> UNet:
    return UNet(dimension, 3, DIMS, levels, options or BlockOptions(head_width=8), embedding=16, **kwargs)


def data(dimension: int = 2, batch: int = 4) -> tuple[Tensor, Tensor, Condition]:
    generator = torch.Generator().manual_seed(0)
    normal = partial(torch.randn, generator=generator)
    x = normal(batch, 3, *SIZES[dimension])
    log_snr = 40 * torch.rand(batch, generator=generator) - 20
    mask = torch.tensor([[True] * 4, [True, True, False, False], [False] * 4, [True] * 4])[:batch]
    channels = normal(batch, 2, *SIZES[dimension])
    return x, log_snr, Condition(normal(batch, 5), normal(batch, 4, 6), mask, channels)


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_a_fresh_unet_gives_zero_of_the_shape_of_its_input(dimension):
    x, log_snr, cond = data(dimension)
    assert torch.equal(unet(dimension)(x, log_snr, cond), torch.zeros_like(x))


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_every_input_reaches_the_output(dimension, randomised):
    model = randomised(unet(dimension))
    x, log_snr, cond = data(dimension)
    out = model(x, log_snr, cond)
    changes = {
        "x": model(-x, log_snr, cond),
        "log_snr": model(x, -log_snr, cond),
        "vector": model(x, log_snr, Condition(-cond.vector, cond.tokens, cond.mask, cond.channels)),
        "tokens": model(x, log_snr, Condition(cond.vector, -cond.tokens, cond.mask, cond.channels)),
        "mask": model(x, log_snr, Condition(cond.vector, cond.tokens, None, cond.channels)),
        "channels": model(x, log_snr, Condition(cond.vector, cond.tokens, cond.mask, -cond.channels)),
    }
    for name, changed in changes.items():
        assert (changed - out).abs().max() > 1e-3, name


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_every_parameter_gets_a_gradient(dimension, randomised):
    model = randomised(unet(dimension))
    model(*data(dimension)).square().sum().backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert silent == []


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_no_condition_and_the_null_condition_are_bit_identical(dimension, randomised):
    model = randomised(unet(dimension))
    x, log_snr, cond = data(dimension)
    unconditional = model(x, log_snr)
    assert torch.equal(model(x, log_snr, cond.null()), unconditional)
    assert torch.equal(model(x, log_snr, Condition()), unconditional)
    kept = torch.tensor([True, False, True, False])
    assert torch.equal(model(x, log_snr, cond.keep(kept))[~kept], unconditional[~kept])


def test_what_stands_in_masked_tokens_is_without_effect(randomised):
    model = randomised(unet())
    x, log_snr, cond = data()
    garbage = torch.where(cond.mask[..., None], cond.tokens, torch.full_like(cond.tokens, torch.nan))
    other = Condition(cond.vector, garbage, cond.mask, cond.channels)
    assert torch.equal(model(x, log_snr, other), model(x, log_snr, cond))


def test_padding_tokens_further_changes_nothing(randomised):
    model = randomised(unet())
    x, log_snr, cond = data()
    tokens = torch.cat((cond.tokens, torch.ones(4, 3, 6)), 1)
    mask = torch.cat((cond.mask, torch.zeros(4, 3, dtype=torch.bool)), 1)
    padded = Condition(cond.vector, tokens, mask, cond.channels)
    assert torch.allclose(model(x, log_snr, padded), model(x, log_snr, cond), atol=1e-5)


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("training", [False, True])
def test_each_sample_is_processed_on_its_own(dimension, training, randomised):
    model = randomised(unet(dimension)).train(training)
    x, log_snr, cond = data(dimension)
    together = model(x, log_snr, cond)
    alone = torch.cat([model(x[i : i + 1], log_snr[i : i + 1], cond[i : i + 1]) for i in range(4)])
    assert torch.allclose(together, alone, atol=1e-5, rtol=1e-5)


def test_checkpointing_gives_the_same_gradients(randomised):
    x, log_snr, cond = data()
    gradients = []
    for checkpoint in (False, True):
        model = randomised(unet(options=BlockOptions(8, dropout=0.3, checkpoint=checkpoint))).train()
        torch.manual_seed(0)
        model(x, log_snr, cond).square().sum().backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        assert torch.allclose(plain, recomputed, rtol=1e-4, atol=1e-5)


def test_channels_last_gives_what_contiguous_memory_gives(randomised):
    x, log_snr, cond = data()
    contiguous, last = (randomised(unet(channels_last=here)) for here in (False, True))
    out = last(x, log_snr, cond)
    assert out.is_contiguous()
    assert torch.allclose(out, contiguous(x, log_snr, cond), atol=1e-4)


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_coarsest_level_may_be_a_single_position(channels_last, size, randomised):
    """At 1 x 1 the memory format of a tensor is ambiguous, which some kernels take ill."""
    model = randomised(unet(levels=[Level(8, 1), Level(16, 1, attention=True)], channels_last=channels_last))
    x = torch.randn(size, 3, 2, 2, requires_grad=True)
    model(x, torch.zeros(size)).square().sum().backward()
    assert x.grad.isfinite().all()


def test_the_factor_is_the_product_of_the_levels_factors():
    assert unet().factor == 6
    assert unet(levels=[Level(8, 1, attention=True, factor=7)]).factor == 1


@pytest.mark.parametrize("shape", [(3, 6, 12), (3, 6, 6), (3, 600, 6)])
def test_shapes_that_the_factor_divides_are_taken(shape):
    unet().check_shape(shape)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 6, 6), "1 channels; this network takes 3"),
        ((3, 6), "1 dimensions; this network takes 2"),
        ((3, 8, 6), "6 x 8 is not a multiple of 6, the network's factor; nearest: 6 x 6 or 6 x 12"),
        ((3, 28, 35), "nearest: 30 x 24 or 36 x 30"),
        ((3, 4, 4), "nearest: 6 x 6$"),
    ],
)
def test_other_shapes_are_refused_with_the_nearest_sizes(shape, message):
    with pytest.raises(UsageError, match=message):
        unet().check_shape(shape)


def test_tokens_without_attention_are_refused():
    with pytest.raises(UsageError, match="tokens, but no level"):
        unet(levels=[Level(8, 1)])


def test_stem_and_resampling_can_be_replaced():
    """A pooling that has no parameters of its own, and a wide stem: one-dimensional signals want both."""

    class Pool(torch.nn.Module):
        def __init__(self, dimension: int, width: int, to: int, factor: int) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(torch.nn.AvgPool1d(factor), convolution(dimension, width, to, kernel=1))

        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)

    model = unet(1, stem=partial(convolution, kernel=9), down=Pool)
    assert model.down[0].enter.kernel_size == (9,)
    assert isinstance(model.down[1].enter, Pool)
    x, log_snr, cond = data(1)
    assert model(x, log_snr, cond).shape == x.shape

"""Perturbed-attention guidance on a U-Net, against one whose attention modules are replaced."""

import copy

import pytest
import torch
from torch import nn

import polydiff
from polydiff.core.condition import ConditionDims
from polydiff.core.denoiser import NetworkDenoiser
from polydiff.core.prediction import prediction
from polydiff.core.windowed import Windowed
from polydiff.errors import UsageError
from polydiff.nn.attention import Attention
from polydiff.nn.block import BlockOptions
from polydiff.nn.unet import Level, UNet

T = torch.tensor(0.6, dtype=torch.float64)


class ValuesAlone(nn.Module):
    """Self-attention with the identity for its map."""

    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x, identity=None):
        return self.attention.out(self.attention.key_value(x).chunk(2, -1)[1])


def replaced(denoiser, *blocks):
    """Give a copy in which these blocks attend to nothing but themselves."""
    other = copy.deepcopy(denoiser)
    for block in blocks:
        attention = other.backbone.get_submodule(block).attention
        assert isinstance(attention.attention, Attention)
        attention.attention = ValuesAlone(attention.attention)
    return other


@pytest.fixture(scope="module")
def denoiser():
    torch.manual_seed(0)
    levels = [Level(8, 1), Level(16, 1, attention=True)]
    network = UNet(2, 1, ConditionDims(vector=3, tokens=5), levels, BlockOptions(head_width=8), embedding=16).double()
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    return NetworkDenoiser(network.eval(), polydiff.schedule("cosine"), prediction("v"))


@pytest.fixture
def x_t():
    return torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def cond():
    mask = torch.tensor([[True, True], [True, False], [False, False]])
    return polydiff.Condition(torch.eye(3).double(), torch.ones(3, 2, 5).double(), mask)


def test_the_network_names_its_attentions(denoiser):
    assert denoiser.attention_layers == ("down.1.0", "up.1.0", "up.1.1", "middle.0")


@pytest.mark.parametrize(
    ("layers", "blocks"),
    [
        (("middle",), ["middle.0"]),
        (("down.1", "middle.0"), ["down.1.blocks.0", "middle.0"]),
        (("up",), ["up.1.blocks.0", "up.1.blocks.1"]),
    ],
)
@pytest.mark.parametrize("conditioned", [True, False])
def test_it_moves_away_from_attention_replaced(denoiser, x_t, cond, layers, blocks, conditioned):
    given = cond if conditioned else None
    guided = polydiff.guidance("perturbed-attention", denoiser, scale=3.0, layers=layers)
    with torch.no_grad():
        plain, perturbed = denoiser(x_t, T, given), replaced(denoiser, *blocks)(x_t, T, given)
        assert (plain - perturbed).abs().max() > 1e-3
        torch.testing.assert_close(guided(x_t, T, given), perturbed + 3 * (plain - perturbed), rtol=1e-9, atol=1e-9)
        assert torch.equal(denoiser(x_t, T, given), plain)  # the network is as it was


def test_it_composes_with_cfg_in_either_order(denoiser, x_t, cond):
    other = replaced(denoiser, "middle.0")
    perturb = lambda inner: polydiff.guidance("perturbed-attention", inner, scale=3.0)  # noqa: E731
    cfg = lambda inner: polydiff.guidance("cfg", inner, scale=2.0)  # noqa: E731
    with torch.no_grad():
        c, u, p_c, p_u = (each(x_t, T, given) for each in (denoiser, other) for given in (cond, None))
        for chain in (cfg(perturb(denoiser)), perturb(cfg(denoiser))):  # both are linear: the order does not matter
            expected = (p_u + 2 * (p_c - p_u)) + 3 * ((u + 2 * (c - u)) - (p_u + 2 * (p_c - p_u)))
            torch.testing.assert_close(chain(x_t, T, cond), expected, rtol=1e-9, atol=1e-9)
        unconditional = perturb(cfg(denoiser))(x_t, T)
        torch.testing.assert_close(unconditional, p_u + 3 * (u - p_u), rtol=1e-9, atol=1e-9)


def test_twice_perturbs_both_sets_of_layers(denoiser, x_t):
    inner = polydiff.guidance("perturbed-attention", denoiser, scale=2.0, layers=("middle",))
    guided = polydiff.guidance("perturbed-attention", inner, scale=3.0, layers=("up",))
    up = ("up.1.blocks.0", "up.1.blocks.1")
    with torch.no_grad():
        p, m, u, both = (replaced(denoiser, *blocks)(x_t, T) for blocks in ((), ("middle.0",), up, (*up, "middle.0")))
        plain, perturbed = m + 2 * (p - m), both + 2 * (u - both)
        torch.testing.assert_close(guided(x_t, T), perturbed + 3 * (plain - perturbed), rtol=1e-9, atol=1e-9)


def test_windows_are_perturbed_as_well(denoiser, x_t):
    windowed = Windowed(denoiser, 4)
    expected = Windowed(replaced(denoiser, "middle.0"), 4)
    guided = polydiff.guidance("perturbed-attention", windowed, scale=3.0)
    with torch.no_grad():
        plain, perturbed = windowed(x_t, T), expected(x_t, T)
        torch.testing.assert_close(guided(x_t, T), perturbed + 3 * (plain - perturbed), rtol=1e-9, atol=1e-9)


def test_a_network_without_attention_cannot_be_perturbed():
    network = UNet(1, 1, ConditionDims(), [Level(8, 1)], BlockOptions(), embedding=16)
    plain = NetworkDenoiser(network, polydiff.schedule("cosine"), prediction("v"))
    with pytest.raises(UsageError, match="needs a network with self-attention"):
        polydiff.guidance("perturbed-attention", plain, scale=2.0)


def test_another_network_in_the_chain_is_not_perturbed(denoiser, x_t, cond):
    weaker = copy.deepcopy(denoiser)
    for parameter in weaker.parameters():
        parameter.data.mul_(0.9)
    auto = polydiff.guidance("autoguidance", denoiser, weaker=weaker, scale=2.0)
    guided = polydiff.guidance("perturbed-attention", auto, scale=3.0)
    with torch.no_grad():
        weak = weaker(x_t, T, cond)
        plain, perturbed = (
            weak + 2 * (each(x_t, T, cond) - weak) for each in (denoiser, replaced(denoiser, "middle.0"))
        )
        torch.testing.assert_close(guided(x_t, T, cond), perturbed + 3 * (plain - perturbed), rtol=1e-9, atol=1e-9)

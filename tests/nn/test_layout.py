import math

import pytest
import torch

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.block import BlockOptions
from polydiff.nn.layout import Layout, positions
from polydiff.nn.unet import Level, UNet

SIZES = {1: (6,), 2: (4, 3), 3: (2, 3, 2)}


def tokens() -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.tensor([[True, True, True], [True, False, False], [False, False, False]])
    return torch.randn(3, 3, 5), mask


@pytest.mark.parametrize("dimension", SIZES)
def test_a_position_is_told_by_its_own_sines_and_cosines(dimension):
    sizes = SIZES[dimension]
    found = positions(sizes, torch.zeros(()))
    for row, place in zip(found, torch.cartesian_prod(*map(torch.arange, sizes)).view(-1, dimension), strict=True):
        angles = [
            [k * math.pi * (i + 0.5) / size for k in (1, 2, 3, 4)]
            for i, size in zip(place.tolist(), sizes, strict=True)
        ]
        expected = [math.sqrt(2) * f(a) for axis in angles for f in (math.sin, math.cos) for a in axis]
        torch.testing.assert_close(row, torch.tensor(expected))
    assert len(found.unique(dim=0)) == math.prod(sizes)


def test_a_fresh_layout_says_nothing_and_learns():
    layout, h = Layout(2, 8, 5, 2), torch.randn(3, 8, 4, 3)
    said, answers = layout(h, *tokens())
    assert torch.equal(said, h) and not answers.any()
    said.square().sum().backward()
    assert all(each.attention.out.weight.grad.abs().max() > 0 for each in layout.rounds)


@pytest.mark.parametrize("dimension", SIZES)
def test_what_it_says_depends_on_place_and_tokens_but_not_on_the_data(dimension, randomised):
    layout, (words, mask) = randomised(Layout(dimension, 8, 5, 2)), tokens()
    one, other = torch.randn(2, 3, 8, *SIZES[dimension])
    said = layout(one, words, mask)[0] - one
    torch.testing.assert_close(said, layout(other, words, mask)[0] - other, atol=1e-5, rtol=1e-5)
    assert said[0].flatten(1).std(1).min() > 1e-3
    assert (layout(one, -words, mask)[0] - one - said)[0].abs().max() > 1e-3
    changed = words.clone()
    changed[1, 1:] += 1
    assert torch.equal(layout(one, changed, mask)[0][1], layout(one, words, mask)[0][1])


def test_without_tokens_it_is_the_identity_to_the_bit(randomised):
    layout, (words, mask), h = randomised(Layout(2, 8, 5, 2)), tokens(), torch.randn(3, 8, 4, 3)
    assert torch.equal(layout(h, words, mask)[0][2], h[2])


def unet() -> UNet:
    levels = [Level(4, 1), Level(8, 1, attention=True)]
    return UNet(2, 3, ConditionDims(tokens=5), levels, BlockOptions(head_width=8), embedding=16, layout=2)


def test_a_unet_with_a_layout_goes_without_its_tokens_to_the_bit(randomised):
    net = randomised(unet())
    (words, mask), x, log_snr = tokens(), torch.randn(3, 3, 8, 6), torch.zeros(3)
    given = net(x, log_snr, Condition(tokens=words, mask=mask))
    plain = net(x, log_snr)
    assert torch.equal(given[2], plain[2])
    assert (given[0] - plain[0]).abs().max() > 1e-3
    net.down[1].layout = None
    assert torch.equal(net(x, log_snr), plain)


def test_a_draft_is_of_the_tokens_and_the_place_alone(randomised):
    net = randomised(unet())
    assert net.drafts
    (words, mask), x, log_snr = tokens(), torch.randn(3, 3, 8, 6), torch.zeros(3)
    cond = Condition(tokens=words, mask=mask)
    output, draft = net(x, log_snr, cond, draft=True)
    assert torch.equal(output, net(x, log_snr, cond))
    assert torch.equal(draft, net(-x, log_snr + 1, cond, draft=True)[1])
    assert draft.shape == x.shape
    assert draft[0].flatten(1).std(1).min() > 1e-3
    assert (draft - net(x, log_snr, Condition(tokens=-words, mask=mask), draft=True)[1])[0].abs().max() > 1e-3
    assert not draft[2].any()
    assert not net(x, log_snr, draft=True)[1].any()


def test_a_layout_of_more_channels_than_it_drafts_is_refused():
    with pytest.raises(UsageError, match="a layout drafts at most 128 channels, but the data have 129"):
        UNet(2, 129, ConditionDims(tokens=5), [Level(32, 1, attention=True)], BlockOptions(), embedding=16, layout=2)


def test_a_layout_without_tokens_to_ask_is_refused():
    with pytest.raises(UsageError, match="layout asks the condition's tokens, but the condition has none"):
        UNet(2, 3, ConditionDims(vector=5), [Level(8, 1)], BlockOptions(), embedding=16, layout=2)

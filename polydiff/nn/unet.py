"""The skeleton of every U-Net, whatever its dimension."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast, overload

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError
from polydiff.nn.attention import number_attentions
from polydiff.nn.block import Block, BlockOptions
from polydiff.nn.convolution import convolution, zeroed
from polydiff.nn.embedded import EmbeddedBackbone
from polydiff.nn.grid import check_grid
from polydiff.nn.layout import INNER, Layout
from polydiff.nn.norm import group_norm
from polydiff.nn.resampling import Downsample, Upsample

Resampling = Callable[[int, int, int, int], nn.Module]
"""(dimension, width, to, factor) -> module."""

_CHANNELS_LAST = {2: torch.channels_last, 3: torch.channels_last_3d}


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of a U-Net.

    Attributes
    ----------
    width
        Channels.
    blocks
        Blocks on the way down, at least 0; there is one more on the way up.
    attention
        Whether they have attention.
    factor
        By which the sizes are divided on the way from the level above; without meaning for the first level.
    """

    width: int
    blocks: int
    attention: bool = False
    factor: int = 2


def head(dimension: int, width: int, channels: int) -> nn.Module:
    """Build what makes an output of the first level's last activations; it starts at zero."""
    return nn.Sequential(group_norm(width), nn.SiLU(), zeroed(convolution(dimension, width, channels)))


class UNet(EmbeddedBackbone):
    """Blocks down to the coarsest resolution and up again, with a skip from each to its mirror.

    Follows Dhariwal & Nichol 2021 (ADM). All skips of a level have its width: the way down enters a level through
    its stem or down-sampling, the way up leaves it through its up-sampling or head. The condition's vector is added
    to the time embedding, its tokens are attended to wherever attention stands, its channels are concatenated to
    the input.

    Parameters
    ----------
    dimension
        Of the data's grid: 1, 2 or 3.
    data_channels, condition
        See `Backbone`.
    levels
        From the full resolution to the coarsest. The middle, below the coarsest, has attention when that has.
    options
        What all blocks have in common.
    embedding
        Width of the time embedding.
    channels_last
        Whether activations and weights lie channels-last in memory, in two and three dimensions.
    patch
        Positions along each side of the data's grid that stand as one in the first level's.
    layout
        Rounds in which every position of the first level with attention asks the tokens what belongs there, and drafts
        it; see `Layout`.
    stem, head
        (dimension, width, to) -> module, from the input's channels to the first level's and from these to the data's.
    down, up
        (dimension, width, to, factor) -> module, between the widths of two levels.

    Raises
    ------
    UsageError
        When a level's width does not divide into heads, tokens are given no attention, or a layout no tokens or too
        many channels.
    """

    def __init__(
        self,
        dimension: int,
        data_channels: int,
        condition: ConditionDims,
        levels: Sequence[Level],
        options: BlockOptions,
        *,
        embedding: int,
        channels_last: bool = False,
        patch: int = 1,
        layout: int = 0,
        stem: Callable[[int, int, int], nn.Module] = convolution,
        head: Callable[[int, int, int], nn.Module] = head,
        down: Resampling = Downsample,
        up: Resampling = Upsample,
    ) -> None:
        super().__init__(data_channels, condition, embedding)
        if condition.tokens and not any(level.attention for level in levels):
            raise UsageError("the condition has tokens, but no level of the U-Net has attention to attend to them")
        if layout and not condition.tokens:
            raise UsageError("layout asks the condition's tokens, but the condition has none; leave layout out")
        if layout and data_channels > INNER:
            raise UsageError(
                f"a layout drafts at most {INNER} channels, but the data have {data_channels}; leave it out"
            )
        _check_heads({level.width for level in levels if level.attention}, options.head_width)
        first, last = levels[0], levels[-1]
        steps = [(above.width, below.width, below.factor) for above, below in itertools.pairwise(levels)]
        block = partial(Block, dimension=dimension, embedding=embedding, tokens=condition.tokens, options=options)
        self.dimension = dimension
        self.factor = patch * math.prod(factor for _, _, factor in steps)
        self.memory_format = _CHANNELS_LAST[dimension] if channels_last else torch.contiguous_format

        enter = [stem(dimension, data_channels + condition.channels, first.width)]
        enter += [down(dimension, width, to, factor) for width, to, factor in steps]
        leave = [head(dimension, first.width, data_channels)]
        leave += [up(dimension, width, to, factor) for to, width, factor in steps]
        layouts: list[Layout | None] = [None] * len(levels)
        if layout:
            attending = [level.attention for level in levels].index(True)
            width = levels[attending].width
            layouts[attending] = Layout(dimension, width, condition.tokens, layout, backend=options.attention_backend)
            self.drafts = True
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, way_in, asked, way_out in zip(levels, enter, layouts, leave, strict=True):
            build = partial(block, to=level.width, attention=level.attention)
            self.down.append(_Down(way_in, asked, [build(level.width) for _ in range(level.blocks)]))
            self.up.append(_Up([build(2 * level.width) for _ in range(level.blocks + 1)], way_out))
        middle = partial(block, last.width, last.width)
        self.middle = nn.ModuleList([middle(attention=last.attention), middle(attention=False)])
        self.attention_layers = number_attentions(self)
        self.to(memory_format=self.memory_format)  # type: ignore[call-overload] # missing from torch's overloads

    @overload
    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition | None = None) -> Tensor: ...

    @overload
    def forward(
        self, x: Tensor, log_snr: Tensor, cond: Condition | None = None, *, draft: Literal[True]
    ) -> tuple[Tensor, Tensor]: ...

    def forward(
        self, x: Tensor, log_snr: Tensor, cond: Condition | None = None, *, draft: bool = False
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Evaluate the network; see `Backbone.forward`."""
        cond = self.complete(cond)
        embedding = self.embed(log_snr, cond)
        h = self.with_channels(x, cond).contiguous(memory_format=self.memory_format)
        skips: list[Tensor] = []
        answers: Tensor | None = None
        for level in self.down:
            outputs, answered = level(h, embedding, cond)
            answers = answered if answers is None else answers
            skips += outputs
            h = skips[-1]
        for block in self.middle:
            h = block(h, embedding, cond)
        for level in reversed(cast(Sequence[_Up], self.up)):
            h = level(h, embedding, cond, [skips.pop() for _ in level.blocks])
        output = h.contiguous()
        if not draft:
            return output
        if answers is None:
            return output, torch.zeros_like(output)
        return output, nn.functional.interpolate(answers[:, : self.data_channels], x.shape[2:])

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise UsageError when the channels or the number of sizes differ or the factor divides not all sizes."""
        check_grid(shape, channels=self.data_channels, dimension=self.dimension, factor=self.factor)


class _Down(nn.Module):
    """A level on the way down, giving the outputs of its stem or down-sampling, with a layout, and of each block.

    The layout's answers follow.
    """

    def __init__(self, enter: nn.Module, layout: Layout | None, blocks: Iterable[Block]) -> None:
        super().__init__()
        self.enter = enter
        self.layout = layout
        self.blocks = nn.ModuleList(blocks)

    def forward(self, h: Tensor, embedding: Tensor, cond: Condition) -> tuple[list[Tensor], Tensor | None]:
        h, answers = self.enter(h), None
        if self.layout is not None and cond.tokens is not None:
            h, answers = self.layout(h, cond.tokens, cond.mask)
        outputs = [h]
        for block in self.blocks:
            outputs.append(block(outputs[-1], embedding, cond))
        return outputs, answers


class _Up(nn.Module):
    """A level on the way up, taking one skip for each of its blocks."""

    def __init__(self, blocks: Iterable[Block], leave: nn.Module) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.leave = leave

    def forward(self, h: Tensor, embedding: Tensor, cond: Condition, skips: list[Tensor]) -> Tensor:
        for block, skip in zip(self.blocks, skips, strict=True):
            h = block(h, embedding, cond, skip)
        out: Tensor = self.leave(h)
        return out


def _check_heads(widths: Collection[int], head_width: int) -> None:
    """Refuse a head width that does not divide all widths with attention, and name the nearest that does."""
    common = math.gcd(*widths)
    if widths and common % head_width:
        near = min((d for d in range(1, common + 1) if common % d == 0), key=lambda d: abs(d - head_width))
        listed = ", ".join(map(str, sorted(widths)))
        raise UsageError(f"head_width {head_width} does not divide the widths with attention, {listed}; {near} does")

"""The contest for pictures: `unet2d` against diffusers' U-Net of the same widths, depth and attention placement."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

import torch
from contest import Contest, Contestant, Evaluate
from polydiff_image.unet2d import UNet2D
from torch import nn

from polydiff.core.condition import ConditionDims
from polydiff.nn.norm import groups
from polydiff.torchaudio_loader import load_torchaudio


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--size", type=int, default=8, help="height and width")
    parser.add_argument("--data-channels", type=int, default=1, help="channels of the data")
    parser.add_argument("--channels", type=int, default=32, help="base width of the networks")
    parser.add_argument(
        "--multipliers", type=int, nargs="+", default=[1, 2, 2], help="widths over the base width, by level"
    )
    parser.add_argument("--blocks", type=int, default=1, help="residual blocks of each level")
    parser.add_argument(
        "--attention", type=int, nargs="*", default=[2], help="levels with attention, 0 the full resolution"
    )
    parser.add_argument("--head-width", type=int, default=32)


def contest(options: Namespace) -> Contest:
    ours = UNet2D(
        options.data_channels,
        ConditionDims(),
        channels=options.channels,
        multipliers=tuple(options.multipliers),
        blocks=options.blocks,
        attention=tuple(options.attention),
        head_width=options.head_width,
    )
    theirs = [_diffusers(options) for _ in range(2)]
    theirs[1].to(memory_format=torch.channels_last)
    contestants = [
        Contestant("polydiff unet2d", ours, ours),
        Contestant("diffusers", theirs[0], _evaluate(theirs[0], torch.contiguous_format)),
        Contestant("diffusers, channels last", theirs[1], _evaluate(theirs[1], torch.channels_last)),
    ]
    return Contest(contestants, (options.data_channels, options.size, options.size))


def _diffusers(options: Namespace) -> nn.Module:
    load_torchaudio()  # as transformers, where it is installed, cannot on a torch for CPUs; diffusers imports both
    from diffusers import UNet2DModel  # noqa: PLC0415

    levels = range(len(options.multipliers))
    attended = [level in options.attention for level in levels]
    network: nn.Module = UNet2DModel(
        sample_size=options.size,
        in_channels=options.data_channels,
        out_channels=options.data_channels,
        block_out_channels=tuple(options.channels * m for m in options.multipliers),
        layers_per_block=options.blocks,
        down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attended),
        up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attended)),
        add_attention=attended[-1],
        attention_head_dim=options.head_width,
        norm_num_groups=groups(options.channels),
        resnet_time_scale_shift="scale_shift",
    )
    return network


def _evaluate(network: nn.Module, memory_format: torch.memory_format) -> Evaluate:
    return lambda x, log_snr: network(x.contiguous(memory_format=memory_format), log_snr).sample

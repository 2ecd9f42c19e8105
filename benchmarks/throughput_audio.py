"""The contest for waveforms: `unet1d` as it is by default against `UNetV0` of audio-diffusion-pytorch.

That is not among polydiff's own requirements, and brings no other torch:

    pip install -c constraints.txt audio-diffusion-pytorch==0.1.3

Both have the same factors, the same number of parameters within a few percent, attention at the two coarsest levels
and no condition but the noise level. `UNetV0` has one item at the two finest levels and two below, one fewer than in
its README. With the README's 1024 modulation features, meant for 1024 channels, most of its parameters are modulation;
equal numbers can thus be had in two ways: with our widths and fewer such features, or with all of these and half our
widths, which leaves its convolutions a quarter of the work.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from contest import Contest, Contestant
from polydiff_audio.unet1d import UNet1D
from torch import nn

from polydiff.core.condition import ConditionDims
from polydiff.torchaudio_loader import load_torchaudio

RATE = 16_000
FACTORS = (1, 4, 4, 4, 2, 2)


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=16_384, help="samples of a waveform, at 16 kHz")


def contest(options: Namespace) -> Contest:
    ours = UNet1D(1, ConditionDims())
    contestants = [
        Contestant("polydiff unet1d", ours, ours),
        _unet_v0("UNetV0", (16, 32, 64, 128, 192, 256), modulation=384, head_width=32),
        _unet_v0("UNetV0, half as wide", (8, 16, 32, 64, 128, 128), modulation=1024, head_width=64),
    ]
    return Contest(contestants, (1, options.length), "seconds", options.length / RATE)


def _unet_v0(name: str, channels: tuple[int, ...], modulation: int, head_width: int) -> Contestant:
    load_torchaudio()  # which it imports, too
    from audio_diffusion_pytorch import UNetV0  # noqa: PLC0415

    network: nn.Module = UNetV0(
        dim=1,
        in_channels=1,
        channels=channels,
        factors=FACTORS,
        items=(1, 1, 2, 2, 2, 2),
        attentions=(0, 0, 0, 0, 1, 1),
        attention_heads=8,
        attention_features=head_width,
        modulation_features=modulation,
    )
    return Contestant(name, network, lambda x, log_snr: network(x, time=log_snr))

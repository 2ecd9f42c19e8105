"""What an autoencoder of waveforms is trained towards."""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff_audio.stft import magnitudes, resolutions
from polydiff_audio.waveform import Waveform


class SpectralLoss:
    """The multi-resolution STFT loss of Yamamoto, Song & Kim 2020 (Parallel WaveGAN).

    Of each resolution spectral convergence, || |Y| - |X| || / || |X| ||, and the mean | log |Y| - log |X| |; the mean
    over resolutions. It does not hear phases, so it wants `l1` or `l2` beside it.

    Parameters
    ----------
    codec
        That of the sounds, `waveform`.

    Raises
    ------
    UsageError
        When the codec is another.
    """

    def __init__(self, codec: Codec) -> None:
        if not isinstance(codec, Waveform):
            raise UsageError("the STFT loss compares samples, which the codec 'waveform' alone encodes")
        self.level = float(codec.level)
        self.resolutions = resolutions(codec.rate)

    def __call__(self, y: Tensor, x: Tensor) -> Tensor:
        """Give each sound's loss, (B,); both are (B, channels, frames)."""
        losses = torch.zeros(len(x), device=x.device)
        for resolution in self.resolutions:
            ours, true = (magnitudes(self.level * each.flatten(0, 1), resolution) for each in (y, x))
            ours, true = ours.reshape(len(x), -1), true.reshape(len(x), -1)
            convergence = torch.linalg.vector_norm(ours - true, dim=1) / torch.linalg.vector_norm(true, dim=1)
            losses = losses + convergence + (ours.log() - true.log()).abs().mean(1)
        return losses / len(self.resolutions)

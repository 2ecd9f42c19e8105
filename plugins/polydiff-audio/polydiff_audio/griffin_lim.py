"""From sounds to the magnitudes of their spectra and back.

Frame f is centred on sample f * hop, so that F frames stand for F * hop samples. Beyond its two ends a sound is
continued by its mirror image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff_audio.torchaudio_loader import load_torchaudio

_AT_ONCE = {"cpu": 2**19}
_AT_ONCE_ELSEWHERE = 2**26
"""How many magnitudes are worked on together. What fits into a CPU's caches takes a third of the time."""


def stft_magnitudes(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Measure spectra under a Hann window, not normalised: a full-scale sine has n_fft / 4 in the nearest bin.

    Parameters
    ----------
    samples
        (B, F * hop) float32, more than n_fft / 2.

    Returns
    -------
    (B, n_fft / 2 + 1, F).
    """
    window = torch.hann_window(n_fft, device=samples.device)
    spectra = torch.stft(samples, n_fft, hop, window=window, return_complex=True)
    return spectra[..., :-1].abs()  # without the frame centred just after the end


def griffin_lim(magnitudes: Tensor, n_fft: int, hop: int, iterations: int, momentum: float) -> Tensor:
    """Find sounds whose spectra have these magnitudes, or nearly, by the fast Griffin-Lim algorithm.

    Perraudin, Balazs & Sondergaard, "A fast Griffin-Lim algorithm", WASPAA 2013. Phases start at zero, which makes the
    result a function of the magnitudes alone and, on speech, is as good as a random start.

    Parameters
    ----------
    magnitudes
        (B, n_fft / 2 + 1, F).
    momentum
        In [0, 1); 0 is Griffin and Lim's own algorithm.

    Returns
    -------
    (B, F * hop); exactly 0 where all frames that reach a sample are.
    """
    griffinlim = load_torchaudio().functional.griffinlim
    magnitudes = torch.cat([magnitudes, magnitudes[..., -1:]], dim=-1)  # the frame centred just after the end
    window = torch.hann_window(n_fft, device=magnitudes.device)
    length = (magnitudes.shape[-1] - 1) * hop
    at_once = max(1, _AT_ONCE.get(magnitudes.device.type, _AT_ONCE_ELSEWHERE) // magnitudes[0].numel())
    return torch.cat(
        [
            griffinlim(part, window, n_fft, hop, n_fft, 1.0, iterations, momentum, length, rand_init=False)
            for part in torch.split(magnitudes, at_once)
        ]
    )

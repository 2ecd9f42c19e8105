"""From sounds to the magnitudes of their spectra and back.

Frame f is centred on sample f * hop, F frames stand for F * hop samples, and there is silence on both sides of a sound.
"""

from __future__ import annotations

import torch
from torch import Tensor

from polydiff_audio.phases import starting_phases

_AT_ONCE = {"cpu": 2**19}
_AT_ONCE_ELSEWHERE = 2**26
"""How many magnitudes are worked on together. What fits into a CPU's caches takes as little as a third of the time."""


def stft(samples: Tensor, n_fft: int, hop: int) -> Tensor:
    """Compute spectra under a Hann window, not normalised: a full-scale sine has n_fft / 4 in the nearest bin.

    Parameters
    ----------
    samples
        (B, F * hop) float32.

    Returns
    -------
    (B, n_fft / 2 + 1, F) complex.
    """
    window = torch.hann_window(n_fft, device=samples.device)
    spectra = torch.stft(samples, n_fft, hop, window=window, pad_mode="constant", return_complex=True)
    return spectra[..., :-1]  # without the frame centred just after the end


def istft(spectra: Tensor, n_fft: int, hop: int) -> Tensor:
    """Find sounds, (B, F * hop), whose spectra are nearest to these, (B, n_fft / 2 + 1, F) complex."""
    window = torch.hann_window(n_fft, device=spectra.device)
    return torch.istft(spectra, n_fft, hop, window=window, length=spectra.shape[-1] * hop)


def griffin_lim(magnitudes: Tensor, n_fft: int, hop: int, iterations: int, momentum: float) -> Tensor:
    """Find sounds whose spectra have these magnitudes, or nearly, from phases that suit steady tones.

    Parameters
    ----------
    magnitudes
        (B, n_fft / 2 + 1, F), not negative.
    iterations, momentum
        See `iterate`.

    Returns
    -------
    (B, F * hop), a function of the magnitudes alone; exactly 0 where all frames that reach a sample are.
    """
    at_once = max(1, _AT_ONCE.get(magnitudes.device.type, _AT_ONCE_ELSEWHERE) // magnitudes[0].numel())
    return torch.cat(
        [
            iterate(part, starting_phases(part, n_fft, hop), n_fft, hop, iterations, momentum)
            for part in torch.split(magnitudes, at_once)
        ]
    )


def iterate(magnitudes: Tensor, phases: Tensor, n_fft: int, hop: int, iterations: int, momentum: float) -> Tensor:
    """Improve phases by the fast Griffin-Lim algorithm, and give the sounds.

    Perraudin, Balazs & Sondergaard, "A fast Griffin-Lim algorithm", WASPAA 2013, algorithm 2. This is
    `torchaudio.functional.griffinlim`, which has no other starts than phases of zero, from which sines were seen to
    settle 20 cents off, or at random, from which they settle as much off or 5 dB too soft.

    Parameters
    ----------
    magnitudes, phases
        (B, n_fft / 2 + 1, F); phases in radians.
    momentum
        alpha of the paper, in [0, 1); 0 is Griffin and Lim's own algorithm.

    Returns
    -------
    (B, F * hop).
    """
    directions = torch.polar(torch.ones_like(phases), phases)
    kept, before = momentum / (1 + momentum), torch.zeros_like(directions)
    for _ in range(iterations):
        rebuilt = stft(istft(magnitudes * directions, n_fft, hop), n_fft, hop)
        directions = torch.sgn(rebuilt - kept * before)
        before = rebuilt
    return istft(magnitudes * directions, n_fft, hop)

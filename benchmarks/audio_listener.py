"""A classifier of sounds, words or timbres, that learns from real ones alone; its hidden layer measures distances."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, dropout, pad

from polydiff.torchaudio_loader import load_torchaudio

STEPS, BATCH = 1000, 64

QUIET = 1e-4
"""What is silence to it: power in a band, 74 dB below that of a full-scale sine."""


class Listener(nn.Module):
    """Tells kinds of sounds apart by log-mel spectra: 40 bands up to half the rate, 25 ms every 10 ms."""

    def __init__(self, rate: int, kinds: int, width: int = 96, hidden: int = 64) -> None:
        super().__init__()
        self.mel = load_torchaudio().transforms.MelSpectrogram(
            rate, n_fft=rate // 40, hop_length=rate // 100, n_mels=40, norm="slaney", mel_scale="slaney"
        )
        layers: list[nn.Module] = []
        for channels in (40, width, width):
            layers += [nn.Conv1d(channels, width, 5, padding=2), nn.BatchNorm1d(width), nn.ReLU(), nn.MaxPool1d(2)]
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Linear(2 * width, hidden)
        self.head = nn.Linear(hidden, kinds)

    def hear(self, x: Tensor) -> Tensor:
        """Give the hidden layer's activations, (n, hidden), of clips of one length, (n, samples)."""
        h = self.body(self.mel(x).clamp_min(QUIET).log() / 3 + 1)
        activations: Tensor = self.hidden(torch.cat((h.mean(2), h.amax(2)), 1)).relu()
        return activations

    def forward(self, x: Tensor) -> Tensor:
        """Give logits, (n, kinds)."""
        logits: Tensor = self.head(dropout(self.hear(x), 0.3, self.training))
        return logits


def train_listener(x: Tensor, labels: Tensor, rate: int, kinds: int) -> Listener:
    """Train on clips, (n, samples), and the indices of their kinds, (n,).

    Each time a clip is used it is up to 40 ms later, up to 6 dB softer or louder, and has white noise 20 to 60 dB
    below it.
    """
    torch.manual_seed(0)
    net = Listener(rate, kinds)
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (BATCH,))
        optimizer.zero_grad()
        cross_entropy(net(_varied(x[rows], rate)), labels[rows]).backward()
        optimizer.step()
        decay.step()
    return net.eval()


def _varied(x: Tensor, rate: int) -> Tensor:
    later = int(torch.randint(rate // 25, ()))
    x = pad(x, (later, 0))[:, : x.shape[1]]
    below = torch.empty(len(x), 1).uniform_(20, 60)
    noisy = x + torch.randn_like(x) * x.std(1, keepdim=True) * 10 ** (-below / 20)
    return noisy * 2 ** torch.empty(len(x), 1).uniform_(-1, 1)

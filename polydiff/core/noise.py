"""Counter-based randomness: a number depends on where it stands, not on what was drawn before it.

Philox4x32-10 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405) maps a counter and a key to four 32-bit
words. The key is the seed; the counter is (block of four elements, sample, step, stream). So the noise of sample i is
the same bit for bit in any batch, on any number of devices, in any order, and a stopped run needs no stored
generator.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from polydiff.errors import UsageError

PRIOR, STEP, TRAIN_TIME, TRAIN_NOISE, DROP_CONDITION, VALIDATION, PROBE, DEQUANTIZE, DISTILL, DROP_ALL = range(10)
"""Streams: what the numbers are for. Numbers of different streams are independent."""

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)


def philox(counter: Sequence[Tensor], key: tuple[int, int]) -> list[Tensor]:
    """Apply ten rounds of Philox4x32 to four int64 tensors of 32-bit words that broadcast; give four such tensors."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        # The product may wrap around 64 bits; its 32-bit halves are right all the same.
        p0, p1 = c0 * _MULTIPLIERS[0], c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = ((p1 >> 32) & _WORD) ^ c1 ^ k0, p1 & _WORD, ((p0 >> 32) & _WORD) ^ c3 ^ k1, p0 & _WORD
        k0, k1 = (k0 + _WEYL[0]) & _WORD, (k1 + _WEYL[1]) & _WORD
    return [c0, c1, c2, c3]


@dataclass(frozen=True, slots=True)
class Seeds:
    """The identities of a batch of samples: one seed, and each sample's index under it.

    Attributes
    ----------
    seed
        0 to 2^64 - 1.
    indices
        (B,) non-negative.
    """

    seed: int
    indices: Tensor | Sequence[int]

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 1 << 64:
            raise UsageError(f"a seed is at least 0 and has at most 64 bits; got {self.seed}")

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: slice) -> Seeds:
        """Select samples of the batch."""
        return Seeds(self.seed, self.indices[index])

    def normal(
        self,
        shape: Sequence[int],
        *,
        stream: int,
        step: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Draw standard normal numbers, (B, *shape), by the Box-Muller transform in float64."""
        size = math.prod(shape)
        has_float64 = device is None or torch.device(device).type != "mps"
        words = self._words(-(-size // 4), stream, step, device if has_float64 else "cpu")
        u = (words.double() + 0.5) * 2.0**-32
        radius, angle = (-2 * u[..., 0::2].log()).sqrt(), 2 * math.pi * u[..., 1::2]
        pairs = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)
        return pairs.flatten(1)[:, :size].reshape(-1, *shape).to(device, dtype)

    def uniform(self, shape: Sequence[int], *, stream: int, step: int = 0) -> Tensor:
        """Draw numbers uniform in the open interval (0, 1), (B, *shape) float64 on the CPU, of 52 random bits."""
        size = math.prod(shape)
        words = self._words(-(-size // 2), stream, step, None).view(len(self), -1, 2)
        bits = (words[..., 0] << 20) | (words[..., 1] >> 12)
        return ((bits.double() + 0.5) * 2.0**-52)[:, :size].reshape(-1, *shape)

    def _words(self, blocks: int, stream: int, step: int, device: torch.device | str | None) -> Tensor:
        """Give (B, 4 blocks) random 32-bit words in int64."""
        index = torch.as_tensor(self.indices, dtype=torch.int64).to(device)[:, None]
        block = torch.arange(blocks, dtype=torch.int64, device=device)
        counter = [block, index & _WORD, torch.full_like(index, step), (index >> 32 << 8) | stream]
        words = philox([c.expand(len(index), blocks) for c in counter], (self.seed & _WORD, self.seed >> 32))
        return torch.stack(words, -1).flatten(1)

"""Attention over tokens, with interchangeable kernels."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor, nn

from polydiff.errors import UsageError, unknown
from polydiff.nn.convolution import zeroed
from polydiff.nn.norm import group_norm

AttentionBackend = Literal["auto", "sdpa", "xformers", "math"]
Kernel = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None, *, backend: AttentionBackend = "sdpa"
) -> Tensor:
    """Evaluate softmax(q k^T / sqrt(D)) v (Vaswani et al. 2017, equation 1) over the keys that count.

    Parameters
    ----------
    q
        (B, heads, L, D).
    k, v
        (B, heads, M, D).
    mask
        (B, M) bool, true where a key counts. A sample none of whose keys counts gives exactly zero.
    backend
        "sdpa" is PyTorch's own, "xformers" that package's (CUDA only), "auto" xformers where it works and sdpa
        elsewhere, "math" the equation written out.

    Returns
    -------
    Tensor
        (B, heads, L, D).

    Raises
    ------
    UsageError
        When the backend is unknown, not installed, or does not run on this device.
    """
    kernel = _kernel(backend, q)
    if mask is None:
        return kernel(q, k, v, None)
    none = ~mask.any(1, keepdim=True)
    # A softmax over nothing is NaN in some kernels: attend to everything there and drop it, gradient included.
    out = kernel(q, k, v, (mask | none)[:, None, None, :])
    return out.masked_fill(none[:, :, None, None], 0.0)


class Attention(nn.Module):
    """Multi-head attention of tokens to themselves or to a context.

    The output projection starts at zero and has no bias: where nothing is attended to, the output is zero.

    Parameters
    ----------
    width
        Of the tokens.
    context
        Width of what is attended to.
    head_width
        Of one head; divides `width`.
    backend
        See `attend`.
    """

    def __init__(self, width: int, context: int, head_width: int, backend: AttentionBackend = "sdpa") -> None:
        super().__init__()
        check_backend(backend)
        if width % head_width:
            divisors = [d for d in range(1, width + 1) if width % d == 0]
            near = min(divisors, key=lambda d: abs(d - head_width))
            raise UsageError(f"attention heads of width {head_width} do not divide {width} channels; {near} does")
        self.head_width = head_width
        self.backend: AttentionBackend = backend
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(context, 2 * width)
        self.out = zeroed(nn.Linear(width, width, bias=False))

    def forward(
        self, x: Tensor, context: Tensor | None = None, mask: Tensor | None = None, identity: Tensor | None = None
    ) -> Tensor:
        """Attend from `x`, (B, L, width), to `context`, (B, M, context), or itself; `mask` is (B, M) bool.

        Samples of `identity`, (B,) bool, have the identity for their map of attention: each token keeps its own value.
        """
        q = self._heads(self.query(x))
        k, v = map(self._heads, self.key_value(x if context is None else context).chunk(2, -1))
        attended = attend(q, k, v, mask, backend=self.backend)
        if identity is not None:
            attended = torch.where(identity[:, None, None, None], v, attended)
        out: Tensor = self.out(attended.transpose(1, 2).flatten(2))
        return out

    def _heads(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], -1, self.head_width).transpose(1, 2)


class AttentionBlock(nn.Module):
    """Residual self-attention over all positions, then residual cross-attention to the condition's tokens.

    Parameters
    ----------
    width
        Channels of the input and the output.
    tokens
        Width of the condition's tokens; 0 builds no cross-attention.
    head_width, backend
        See `Attention`.

    Attributes
    ----------
    layer
        Its place among the self-attentions of a network, where `number_attentions` has numbered them.
    """

    layer: int | None = None

    def __init__(self, width: int, tokens: int, head_width: int, backend: AttentionBackend = "sdpa") -> None:
        super().__init__()
        self.norm = group_norm(width)
        self.attention = Attention(width, width, head_width, backend)
        self.cross_norm = group_norm(width) if tokens else None
        self.cross_attention = Attention(width, tokens, head_width, backend) if tokens else None

    def forward(
        self, x: Tensor, tokens: Tensor | None = None, mask: Tensor | None = None, perturbed: Tensor | None = None
    ) -> Tensor:
        """Map `x`, (B, width, *), to the same shape; `tokens` is (B, M, tokens) and `mask` (B, M) bool.

        `perturbed`, (B, layers) bool, tells whose self-attention is the identity, as a `Condition` does.
        """
        assert perturbed is None or self.layer is not None, "perturbed attention in a network that did not number it"
        identity = None if perturbed is None else perturbed[:, self.layer]
        x = x + _positions(self.attention(_sequence(self.norm(x)), identity=identity), x)
        if tokens is not None:
            assert self.cross_norm is not None and self.cross_attention is not None
            x = x + _positions(self.cross_attention(_sequence(self.cross_norm(x)), tokens, mask), x)
        return x


def number_attentions(network: nn.Module) -> tuple[str, ...]:
    """Number the attention blocks of a network; give their places in it ("middle.0", "up.1.2"), in that order."""
    blocks = {name: module for name, module in network.named_modules() if isinstance(module, AttentionBlock)}
    for layer, block in enumerate(blocks.values()):
        block.layer = layer
    return tuple(name.removesuffix(".attention").replace(".blocks.", ".") for name in blocks)


def check_backend(name: str) -> None:
    """Raise UsageError when no such backend exists or its package is not installed."""
    choices = ("auto", *_KERNELS)
    if name not in choices:
        raise UsageError(unknown("attention backend", name, choices))
    if name == "xformers" and find_spec("xformers") is None:
        raise UsageError(
            "attention backend 'xformers' is not installed: pip install 'polydiff[xformers]', or use 'sdpa'"
        )


def _sequence(x: Tensor) -> Tensor:
    """(B, C, *) to (B, positions, C), without a copy in channels-last memory."""
    return x.flatten(2).transpose(1, 2)


def _positions(tokens: Tensor, like: Tensor) -> Tensor:
    """(B, positions, C) to the (B, C, *) of `like`, channels-last in memory."""
    return tokens.transpose(1, 2).view(like.shape)


def _kernel(backend: AttentionBackend, q: Tensor) -> Kernel:
    if backend == "auto":
        return _KERNELS["xformers" if _xformers_works(q.device, q.dtype, q.shape[-1]) else "sdpa"]
    check_backend(backend)
    if backend == "xformers" and q.device.type != "cuda":
        raise UsageError(f"attention backend 'xformers' runs on CUDA, not on {q.device.type}; use 'sdpa'")
    return _KERNELS[backend]


def _sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def _math(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ v


def _xformers(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    ops = import_module("xformers.ops")  # optional, and slow to import
    bias = None
    if mask is not None:
        keys = mask.shape[-1]
        aligned = math.ceil(keys / 8) * 8  # of the strides, which the kernels want so
        bias = (
            q.new_zeros(q.shape[0], 1, 1, aligned)[..., :keys].masked_fill_(~mask, -math.inf).expand(*q.shape[:3], keys)
        )
    out: Tensor = ops.memory_efficient_attention(*(x.transpose(1, 2) for x in (q, k, v)), attn_bias=bias)
    return out.transpose(1, 2)


@cache
def _xformers_works(device: torch.device, dtype: torch.dtype, head_width: int) -> bool:
    """Try it, backwards and with a mask too: what its kernels support depends on its build and the card."""
    if device.type != "cuda" or find_spec("xformers") is None:
        return False
    try:
        with torch.inference_mode(False), torch.enable_grad():
            q = torch.zeros(1, 1, 8, head_width, device=device, dtype=dtype, requires_grad=True)
            for mask in (None, torch.ones(1, 1, 1, 8, device=device, dtype=torch.bool)):
                torch.autograd.grad(_xformers(q, q, q, mask).sum(), q)
    except (ImportError, NotImplementedError, RuntimeError, ValueError):
        return False
    return True


_KERNELS: dict[str, Kernel] = {"sdpa": _sdpa, "xformers": _xformers, "math": _math}

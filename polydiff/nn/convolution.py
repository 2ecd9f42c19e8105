"""Convolutions of one, two and three dimensions."""

from __future__ import annotations

from typing import TypeVar

from torch import nn

_CONVOLUTIONS: dict[int, type[nn.Conv1d | nn.Conv2d | nn.Conv3d]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}

Module = TypeVar("Module", bound=nn.Module)


def convolution(dimension: int, width: int, to: int, *, kernel: int = 3) -> nn.Module:
    """Build a convolution from `width` to `to` channels, zero-padded to keep the sizes; `kernel` is odd."""
    assert kernel % 2, "an even kernel has no centre"
    return _CONVOLUTIONS[dimension](width, to, kernel, padding=kernel // 2)


def strided_convolution(dimension: int, width: int, to: int, *, stride: int) -> nn.Module:
    """Build a convolution from `width` to `to` channels that divides the sizes by `stride`, which divides them.

    Its odd kernel covers the inputs of its output and overlaps with its neighbours'; 3 at stride 2.
    """
    return _CONVOLUTIONS[dimension](width, to, (stride + 1) | 1, stride=stride, padding=1)


def zeroed(module: Module) -> Module:
    """Set all parameters of `module` to zero, so that the branch that it ends starts as nothing."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module

"""AdamW and its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from polydiff.recipe.schema import OptimizerConfig


def adamw(module: nn.Module, config: OptimizerConfig, *, fused: bool) -> torch.optim.AdamW:
    """Make AdamW for what is trained; matrices and kernels decay, norms, biases and embeddings do not."""
    embeddings = {id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for parameter in module.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim > 1 and id(parameter) not in embeddings else kept).append(parameter)
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]], lr=config.lr, betas=config.betas, fused=fused
    )


def learning_rate(config: OptimizerConfig, step: int, fraction: float) -> float:
    """Give the learning rate of a step: a linear warm-up times a decay over the whole run.

    Parameters
    ----------
    step
        From 0.
    fraction
        How much of the run is behind, in [0, 1]: of its steps, or of its time where that runs out first.
    """
    warmup = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    match config.decay:
        case "constant":
            decay = 1.0
        case "linear":
            decay = 1 - fraction
        case "cosine":
            decay = (1 + math.cos(math.pi * fraction)) / 2
    return config.lr * warmup * decay

"""AdamW, Muon and their learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from polydiff.errors import UsageError
from polydiff.recipe.schema import OptimizerConfig
from polydiff.training.muon import Muon, hidden_matrices


def optimizer(module: nn.Module, config: OptimizerConfig, *, fused: bool) -> torch.optim.Optimizer:
    """Make the optimiser of what is trained; matrices and kernels decay, norms, biases and embeddings do not.

    A group's "scale" is that of its learning rate: `config.muon` has one of its own for hidden matrices.

    Raises
    ------
    UsageError
        When there are no hidden matrices for `config.muon`.
    """
    embeddings = {id(p) for m in module.modules() if isinstance(m, nn.Embedding) for p in m.parameters()}
    hidden = [] if config.muon is None else hidden_matrices(module)
    if config.muon is not None and not hidden:
        raise UsageError("train.optimizer.muon moves the matrices of repeated layers, and there are none; leave it out")
    apart = {id(p) for p in hidden}
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for parameter in module.parameters():
        if parameter.requires_grad and id(parameter) not in apart:
            (decayed if parameter.ndim > 1 and id(parameter) not in embeddings else kept).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": config.weight_decay, "scale": 1.0},
        {"params": kept, "weight_decay": 0.0, "scale": 1.0},
    ]
    groups = [group for group in groups if group["params"]]
    if config.muon is None:
        return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=fused)
    matrices = {"params": hidden, "weight_decay": config.weight_decay, "scale": config.muon / config.lr}
    return Muon([*groups, {**matrices, "matrices": True}], betas=config.betas, fused=fused)


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

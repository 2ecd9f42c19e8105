"""Muon: hidden matrices move by their gradients' directions, all of one size."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, Replicate

from polydiff.nn.norm import AdaptiveGroupNorm, AdaptiveLayerNorm

MOMENTUM = 0.95

QUINTICS = ((8.0934, -23.6204, 17.4462), (3.6366, -2.7219, 0.5365), (2.6613, -1.9772, 0.4526))
"""Coefficients of X, X X^T X and (X X^T)^2 X: each polynomial is the odd one of degree 5 that comes nearest to 1 on the
interval where the one before leaves singular values, from [0.01, 1] on (Amsel et al. 2025, Polar Express,
https://arxiv.org/abs/2505.16932, algorithm 1). They end in [0.73, 1.27]."""

_LAYERS = nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d


class Muon(torch.optim.Optimizer):
    """AdamW, but for groups of matrices, which move by orthogonalised momentum (Jordan et al. 2024, Muon).

    With G the gradient, M its running mean and N = (1 - m) G + m M, Nesterov's,

        W <- W - lr sqrt(max(1, rows / columns)) U V^T,  where N = U S V^T:

    the steepest descent by the spectral norm (https://kellerjordan.github.io/posts/muon). A convolution's weight is a
    matrix whose columns are its inputs, by each place in the kernel. U V^T is taken roughly, in the gradient's own
    precision; `torch.optim.Muon` takes it in bfloat16, which CPUs are slow at, and of linear layers alone.

    Parameters
    ----------
    groups
        Of parameters, as of every optimiser; "matrices" says which are such.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, betas: tuple[float, float], fused: bool) -> None:
        groups = [{"matrices": False, **group} for group in groups]
        others = [group for group in groups if not group["matrices"]]
        self._adamw = torch.optim.AdamW(others, betas=betas, fused=fused)
        matrices = [group for group in groups if group["matrices"]]
        super().__init__([*self._adamw.param_groups, *matrices], {"lr": 0.0, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Move all parameters once; there is no use for a closure."""
        assert closure is None
        self._adamw.state = self.state
        self._adamw.param_groups = [group for group in self.param_groups if not group["matrices"]]
        self._adamw.step()
        for group in self.param_groups:
            if group["matrices"]:
                self._move(group)

    def _move(self, group: dict[str, Any]) -> None:
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                direction = self._direction(parameter)
                alike[len(direction), direction[0].numel()].append((parameter, direction))
        for (rows, columns), pairs in alike.items():
            stacked = torch.stack([direction.reshape(rows, columns) for _, direction in pairs])
            for (parameter, direction), step in zip(pairs, orthogonalised(stacked), strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                size = group["lr"] * math.sqrt(max(1.0, rows / columns))
                parameter.sub_(_laid_out_as(parameter, size * step.reshape(direction.shape)))

    def _direction(self, parameter: Tensor) -> Tensor:
        """Give Nesterov's momentum, whole on every process."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        mean = state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM)
        direction = parameter.grad.lerp(mean, MOMENTUM)
        return direction.full_tensor() if isinstance(direction, DTensor) else direction


def hidden_matrices(module: nn.Module) -> list[nn.Parameter]:
    """Give the trained weights of the linear layers and convolutions in a module's repeated layers (`nn.ModuleList`).

    Not among them are those of adaptive norms, which the noise level's embedding goes through.
    """
    repeated = [each for layers in module.modules() if isinstance(layers, nn.ModuleList) for each in layers.modules()]
    adaptive = {each.scale_shift for each in repeated if isinstance(each, AdaptiveGroupNorm | AdaptiveLayerNorm)}
    layers = {each for each in repeated if isinstance(each, _LAYERS)} - adaptive
    weights = {id(layer.weight) for layer in layers}
    return [parameter for parameter in module.parameters() if parameter.requires_grad and id(parameter) in weights]


def orthogonalised(matrices: Tensor) -> Tensor:
    """Bring all singular values from 0.01 of the matrix's Frobenius norm upwards to within [0.73, 1.27].

    Parameters
    ----------
    matrices
        (B, rows, columns).
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=torch.finfo(x.dtype).tiny)
    for a, b, c in QUINTICS:
        square = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


def _laid_out_as(parameter: Tensor, whole: Tensor) -> Tensor:
    if not isinstance(parameter, DTensor):
        return whole
    everywhere = [Replicate()] * parameter.device_mesh.ndim
    return DTensor.from_local(whole, parameter.device_mesh, everywhere).redistribute(placements=parameter.placements)

"""What two networks make of the same samples on the way to their outputs, compared layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.errors import UsageError


@contextmanager
def features(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Collect what the layers of a network give while inside: of the members of its module lists, by their paths."""
    found: dict[str, Tensor] = {}
    handles = [layer.register_forward_hook(partial(_keep, found, path)) for path, layer in _layers(network)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def feature_distance(student: Mapping[str, Tensor], teacher: Mapping[str, Tensor]) -> Tensor:
    """Give each sample's squared distance, (B,) in [0, 4], of features of unit length, the mean over the layers.

    Layers of one path and one shape are compared number by number. Where the shapes differ in one dimension, the
    channels, their energies are, the mean squares over it, which show where a layer looks (attention transfer:
    Zagoruyko & Komodakis 2017, https://arxiv.org/abs/1612.03928, equation 2): no map between the two has to be learnt.

    Raises
    ------
    UsageError
        When no layer of one can be compared with one of the other.
    """
    pairs = [_alike(student[path], teacher[path]) for path in student if path in teacher]
    found = [(_unit(ours) - _unit(its)).square().sum(1) for ours, its in filter(None, pairs)]
    if not found:
        raise UsageError("no layer of the student's network can be compared with one of the teacher's: features=0")
    return torch.stack(found).mean(0)


def _layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for path, module in network.named_modules():
        if isinstance(module, nn.ModuleList):
            yield from ((f"{path}.{place}", layer) for place, layer in module.named_children())


def _keep(found: dict[str, Tensor], path: str, _layer: nn.Module, _given: Any, output: Any) -> None:
    tensor = output[0] if isinstance(output, tuple) else output
    if isinstance(tensor, Tensor) and tensor.ndim > 1:
        found[path] = tensor


def _alike(ours: Tensor, its: Tensor) -> tuple[Tensor, Tensor] | None:
    """Bring two layers to one shape; `None` where they have none in common."""
    if ours.ndim != its.ndim:
        return None
    differ = [dim for dim in range(ours.ndim) if ours.shape[dim] != its.shape[dim]]
    if not differ:
        return ours, its
    if len(differ) > 1 or ours.ndim < 3:
        return None
    return ours.square().mean(differ), its.square().mean(differ)


def _unit(feature: Tensor) -> Tensor:
    """Bring each sample's numbers to unit length: (B, *) to (B, n)."""
    return nn.functional.normalize(feature.flatten(1), dim=1)

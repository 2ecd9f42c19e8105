"""A network and its gradients, whole or sharded, for the conformance kit."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.distributed
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh

from polydiff.model.model import Model
from polydiff.training.sharding import gathered, shard


def gradients(model: Model, x: Tensor, values: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
    """Give the denoiser's output, as "", and the gradients of its squares by the parameters' names."""
    model.zero_grad()
    output = model.denoiser(x, torch.full((len(x),), 0.5), model.condition(values))
    output.square().mean().backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"": output.detach(), **gathered(found, kept=True)}


def sharded_gradients(model: Model, x: Tensor, values: Mapping[str, Sequence[Any]]) -> dict[str, Tensor]:
    """Give the same of a copy that is sharded, if among one process alone."""
    store = torch.distributed.HashStore()  # type: ignore[attr-defined]  # public, but not said to be
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        divided = copy.deepcopy(model)
        shard(divided, init_device_mesh("cpu", (1,)))
        return gradients(divided, x, values)
    finally:
        torch.distributed.destroy_process_group()

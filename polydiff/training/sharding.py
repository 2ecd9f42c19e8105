"""Sharded training: each process holds some rows of every parameter, and gathers a block's while it computes.

PyTorch's `fully_shard` (Zhao et al. 2023, "PyTorch FSDP", https://arxiv.org/abs/2304.11277) divides the first
dimension; the average, the optimiser's moments and the gradients lie as their parameters do.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard

from polydiff.errors import UsageError
from polydiff.model.model import Model


def shard(model: nn.Module, mesh: DeviceMesh) -> None:
    """Divide the parameters of a model among the processes of a mesh, in place.

    The network and each conditioner are called on their own, by samplers and validation too, so each is a root of its
    own. Nothing stays gathered: what does would not see the next update.

    Raises
    ------
    UsageError
        When it is no diffusion model, or a parameter has no dimension to divide.
    """
    if not isinstance(model, Model):
        raise UsageError("strategy fsdp divides diffusion models; codecs and pairs are trained by strategy ddp")
    # Nothing here writes into what a network returns, which is what views of it are dangerous for.
    warnings.filterwarnings("ignore", "FSDP2-wrapped module")
    for root in (model.backbone, *model.conditioners.values()):
        for name, parameter in root.named_parameters():
            if parameter.ndim == 0:
                raise UsageError(f"strategy fsdp cannot divide {name}, a single number; use strategy ddp")
            parameter.data = parameter.data.contiguous()  # `fully_shard` takes no channels-last weights
        for unit in _units(root):
            fully_shard(unit, mesh=mesh, reshard_after_forward=True)


def _units(root: nn.Module) -> Iterator[nn.Module]:
    """Give the modules whose parameters are gathered together: members of module lists, inner ones first; the root."""
    members = {id(member) for each in root.modules() if isinstance(each, nn.ModuleList) for member in each}
    for module in reversed(list(root.modules())):
        repeated = id(module) in members and not isinstance(module, nn.ModuleList | nn.ModuleDict)
        if (repeated or module is root) and any(True for _ in module.parameters()):
            yield module


def local(tensor: Tensor) -> Tensor:
    """Give this process's rows, in place; the whole of what is not sharded."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def rows(tensor: Tensor) -> slice | None:
    """Say which rows of the whole tensor `local` gives; `None` is the whole."""
    if not isinstance(tensor, DTensor):
        return None
    (placement,), mesh = tensor.placements, tensor.device_mesh
    assert placement == Shard(0), f"divided by {placement}"
    share = -(-tensor.shape[0] // mesh.size())
    first = min(share * mesh.get_local_rank(), tensor.shape[0])
    return slice(first, min(first + share, tensor.shape[0]))


def whole(tensor: Tensor) -> Tensor:
    """Gather a tensor; all processes take part where it is sharded."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def is_sharded(module: nn.Module) -> bool:
    """Tell whether a module's parameters are divided among processes."""
    return any(isinstance(parameter, DTensor) for parameter in module.parameters())


def gathered(tensors: Mapping[str, Tensor], *, kept: bool) -> dict[str, Tensor]:
    """Gather tensors one by one and keep them, on the CPU, where `kept` is true; all processes take part."""
    everything = {}
    for name, tensor in tensors.items():
        full = whole(tensor)
        if kept:
            everything[name] = full if full is tensor else full.cpu()
    return everything


def own(tensors: Mapping[str, Tensor], *, first: bool) -> dict[str, Tensor]:
    """Give what a process has to write so that everything is written once: its rows and, the first, what is whole."""
    return {name: local(tensor) for name, tensor in tensors.items() if first or isinstance(tensor, DTensor)}

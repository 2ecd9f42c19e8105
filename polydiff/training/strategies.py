"""How the processes of a run compute together: the devices, the strategy and the precision, as Fabric knows them."""

from __future__ import annotations

import logging
from typing import Any, Literal, get_args

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision, Precision
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy
from lightning_fabric.strategies.strategy import Strategy
from torch.distributed.device_mesh import DeviceMesh

from polydiff.errors import UsageError, unknown
from polydiff.training.layout import Layout

StrategyName = Literal["auto", "ddp", "fsdp"]
"""How a model is spread over processes: `ddp` gives each all of it, `fsdp` a share; `auto` is `ddp` for several."""

TORCH_FOR_FSDP = "2.13"
"""The oldest PyTorch that follows gradients through conditions, which are dataclasses, between sharded modules."""


class _Autocast(MixedPrecision):
    """Fabric's automatic mixed precision, without its rounding of every input: times and noise levels stay exact."""

    def convert_input(self, data: Any) -> Any:
        return data


def fabric_for(layout: Layout, *, accelerator: str, strategy: str, precision: str) -> Fabric:
    """Make the Fabric of a run, not yet launched.

    Raises
    ------
    UsageError
        When this machine, or the strategy, cannot do so.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    kind = device_type(accelerator)
    available = torch.accelerator.device_count() if kind != "cpu" else layout.devices
    if layout.devices > available:
        raise UsageError(f"there {_count(available, kind)} here, not {layout.devices}")
    if precision == "16-mixed" and kind == "cpu":
        raise UsageError("precision 16-mixed needs a GPU; on the CPU there are bf16-mixed and 32-true")
    return Fabric(
        accelerator=kind,
        devices=layout.devices,
        num_nodes=layout.nodes,
        strategy=_strategy(strategy, layout, precision),
        plugins=Precision() if precision == "32-true" else _Autocast(precision, kind),  # type: ignore[arg-type]
    )


def _strategy(name: str, layout: Layout, precision: str) -> str | Strategy:
    if name not in get_args(StrategyName):
        raise UsageError(unknown("strategy", name, get_args(StrategyName)))
    if name != "fsdp":
        return name
    if precision == "16-mixed":
        raise UsageError("strategy fsdp has no gradient scaler for precision 16-mixed; bf16-mixed needs none")
    if torch.__version__ < TORCH_FOR_FSDP:  # compares as versions do
        raise UsageError(f"strategy fsdp needs PyTorch {TORCH_FOR_FSDP} or later; here is {torch.__version__}")
    # What is to be sharded is more than the module that Fabric is given: `stepper` does that.
    return ModelParallelStrategy(lambda module, _: module, data_parallel_size=layout.count, tensor_parallel_size=1)


def mesh_of(fabric: Fabric) -> DeviceMesh | None:
    """Give the processes among which parameters are to be divided; `None` where each has them all."""
    strategy = fabric.strategy
    return strategy.device_mesh["data_parallel"] if isinstance(strategy, ModelParallelStrategy) else None


def device_type(accelerator: str) -> str:
    """Give the type of the devices to use: cpu, cuda or mps.

    Raises
    ------
    UsageError
        When there is no such device here.
    """
    found = torch.accelerator.current_accelerator(check_available=True)
    best = found.type if found is not None else "cpu"
    if accelerator == "auto":
        return best
    if accelerator not in {"cpu", best}:
        raise UsageError(
            f"there is no {accelerator} device here; there is {' and '.join(dict.fromkeys((best, 'cpu')))}"
        )
    return accelerator


def _count(devices: int, kind: str) -> str:
    return f"is 1 {kind} device" if devices == 1 else f"are {devices} {kind} devices"

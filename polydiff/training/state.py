"""All that a run carries from one step to the next, to a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from polydiff.errors import ModelError
from polydiff.training import checkpoint
from polydiff.training.balance import Balance
from polydiff.training.ema import EMA
from polydiff.training.sharding import local, rows
from polydiff.training.stored import StoredTensors


@dataclass(slots=True)
class Progress:
    """Where a run stands.

    Attributes
    ----------
    step
        Optimiser steps made.
    seconds
        Spent in training, over all sittings.
    window
        The losses of the steps since the last line of metrics.
    validated
        The step of the last validation, -1 before the first.
    figures
        What the last validation measured.
    best_step, best
        The best validation and what it measured; -1 and nothing before the first.
    stale
        Validations since the best.
    skipped
        Steps left out because their loss or gradient was not finite.
    bad
        How many of them stand in a row just now.
    """

    step: int = 0
    seconds: float = 0.0
    window: list[float] = field(default_factory=list)
    validated: int = -1
    figures: dict[str, float] = field(default_factory=dict)
    best_step: int = -1
    best: dict[str, float] = field(default_factory=dict)
    stale: int = 0
    skipped: int = 0
    bad: int = 0

    def note_validation(self, figures: dict[str, float]) -> bool:
        """Take in a validation at this step; tell whether it is the best so far."""
        self.validated, self.figures = self.step, figures
        improved = not self.best or figures["loss"] < self.best["loss"]
        if improved:
            self.best_step, self.best, self.stale = self.step, figures, 0
        else:
            self.stale += 1
        return improved

    def forget_best(self) -> None:
        """Judge from now on, as if there had been no validation."""
        self.best_step, self.best, self.stale, self.validated = -1, {}, 0, -1


@dataclass(slots=True)
class TrainState:
    """The model, its average, its optimiser and the run's progress; random generators have no state to keep.

    Attributes
    ----------
    scaler
        Of gradients in 16-mixed.
    balance
        Of noise levels, where they are to count alike.
    """

    model: nn.Module
    ema: EMA[Any]
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler | None = None
    balance: Balance | None = None
    progress: Progress = field(default_factory=Progress)

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Give all tensors of a checkpoint, by file and name; those of a sharded model are sharded."""
        return {
            "model": tensors_of(self.model),
            "ema": tensors_of(self.ema.model),
            "optimizer": self._optimizer_tensors(),
        }

    def counters(self) -> dict[str, Any]:
        """Give the rest of a checkpoint, which JSON can hold."""
        return {
            "progress": asdict(self.progress),
            "ema_updates": self.ema.updates,
            "scaler": None if self.scaler is None else self.scaler.state_dict(),
            "balance": None if self.balance is None else asdict(self.balance),
        }

    def load(self, path: Path) -> None:
        """Go back to a checkpoint.

        Raises
        ------
        ModelError
            When it is damaged or of another model.
        """
        state = checkpoint.read_state(path)
        _copy(checkpoint.read_tensors(path, "model"), tensors_of(self.model), path)
        self.load_average(path)
        self._load_optimizer(checkpoint.read_tensors(path, "optimizer"), path)
        try:
            self.progress = Progress(**state["progress"])
            self.ema.updates = state["ema_updates"]
            if self.scaler is not None and state["scaler"]:
                self.scaler.load_state_dict(state["scaler"])
            if self.balance is not None and state.get("balance"):
                self.balance = Balance(**state["balance"] | {"exponent": self.balance.exponent})
        except (KeyError, TypeError) as error:
            raise ModelError(f"{path / checkpoint.STATE}: not the state of a run") from error

    def load_average(self, path: Path) -> None:
        """Take the averaged model alone from a checkpoint."""
        _copy(checkpoint.read_tensors(path, "ema"), tensors_of(self.ema.model), path)

    def _names(self) -> list[str]:
        """Name the optimiser's parameters in its own order."""
        names = {id(p): name for name, p in self.model.named_parameters()}
        return [names[id(p)] for group in self.optimizer.param_groups for p in group["params"]]

    def _optimizer_tensors(self) -> dict[str, Tensor]:
        state = self.optimizer.state_dict()["state"]
        names = self._names()
        return {f"{names[i]}/{key}": value for i, values in state.items() for key, value in values.items()}

    def _load_optimizer(self, stored: StoredTensors, path: Path) -> None:
        index = {name: i for i, name in enumerate(self._names())}
        parameters = dict(self.model.named_parameters())
        state: dict[int, dict[str, Tensor]] = {}
        for entry in stored:
            name, _, key = entry.rpartition("/")
            if name not in index:
                raise ModelError(f"{path}: its optimiser state is of another model, with a parameter {name}")
            state.setdefault(index[name], {})[key] = _laid_out_as(parameters[name], stored, entry)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": state})


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Give a module's parameters and saved buffers by name, tied ones once, under their first name."""
    names: dict[int, str] = {}
    state = module.state_dict(keep_vars=True)
    for name, tensor in state.items():
        names.setdefault(id(tensor), name)
    return {name: state[name].detach() for name in names.values()}


def _laid_out_as(parameter: Tensor, stored: StoredTensors, entry: str) -> Tensor:
    """Read a tensor into the memory format of its parameter, by which a fused optimiser walks both, and its shards."""
    if stored.shape(entry) != parameter.shape:
        return stored.read(entry)
    tensor = torch.empty_like(parameter, requires_grad=False)
    _fill(tensor, stored, entry)
    return tensor


def _copy(stored: StoredTensors, target: Mapping[str, Tensor], path: Path) -> None:
    """Copy tensors in place, by name."""
    for name in stored.keys() ^ target.keys():
        raise ModelError(f"{path}: of another model, {name} is in only one of the two")
    for name, tensor in target.items():
        if stored.shape(name) != tensor.shape:
            raise ModelError(f"{path}: of another model, {name} is {stored.shape(name)}, not {tuple(tensor.shape)}")
        _fill(tensor, stored, name)


@torch.no_grad()
def _fill(tensor: Tensor, stored: StoredTensors, name: str) -> None:
    """Read a tensor in place: this process's rows of it where it is sharded."""
    local(tensor).copy_(stored.read(name, rows(tensor)))

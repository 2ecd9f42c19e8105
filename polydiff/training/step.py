"""One optimiser step."""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from polydiff.data.examples import Batch, ExampleSet
from polydiff.errors import PolydiffError
from polydiff.recipe.schema import AnyRecipe, Recipe, TrainConfig
from polydiff.training.assemble import AnyParts
from polydiff.training.balance import Balance
from polydiff.training.compilation import compile_network
from polydiff.training.ema import EMA
from polydiff.training.objective import training_quantiles
from polydiff.training.optimizer import learning_rate, optimizer
from polydiff.training.order import listed, name_at
from polydiff.training.processes import Processes
from polydiff.training.sharding import shard, whole
from polydiff.training.state import TrainState

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Stepper:
    """Makes the steps of a run.

    Attributes
    ----------
    loss, optimizer
        As Fabric wraps them.
    """

    processes: Processes
    config: TrainConfig
    state: TrainState
    examples: ExampleSet
    loss: Any
    optimizer: Any

    def __call__(self, batches: list[Batch], fraction: float) -> dict[str, float]:
        """Make a step on this process's share of the global batch.

        Parameters
        ----------
        batches
            The parts that gradients accumulate over, of one size.
        fraction
            How much of the run is behind, in [0, 1].

        Returns
        -------
        dict
            "lr"; "loss", the mean over the global batch, but in a step that is left out because it or its gradient is
            not finite; "grad_norm", before clipping, but in a step that the gradient scaler of 16-mixed skips.

        Raises
        ------
        PolydiffError
            When this is one step too many in a row that is not finite; the model is as before the first of them.
        """
        config, step = self.config, self.state.progress.step
        torch.manual_seed(step_seed(config.seed, step, self.processes.rank))
        lr = learning_rate(config.optimizer, step, fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = lr * group["scale"]
        losses = torch.stack([self._backward(batch, len(batches) - i) for i, batch in enumerate(batches, start=1)])
        limit = math.inf if config.clip is None else config.clip
        norm = self.processes.fabric.clip_gradients(self.loss, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        assert norm is not None
        mean = self.processes.total(losses.mean()) / self.processes.count
        loss, gradient = torch.stack([mean, whole(norm)]).tolist()
        # The gradient scaler of 16-mixed meets infinite gradients as it looks for its scale, and skips them.
        if math.isfinite(loss) and (math.isfinite(gradient) or self.state.scaler is not None):
            self.optimizer.step()
            self.state.ema.update()
            self.state.progress.bad = 0
            if self.state.balance is not None:
                self._note(self.state.balance, losses.flatten(), batches)
        else:
            self._skip(losses.flatten(), batches)
        self.optimizer.zero_grad()
        return {"lr": lr} | {k: v for k, v in {"loss": loss, "grad_norm": gradient}.items() if math.isfinite(v)}

    def _backward(self, batch: Batch, parts_left: int) -> Tensor:
        """Add a part's gradients; those of all processes meet at the last part."""
        batch = batch.to(self.processes.fabric.device, non_blocking=True)
        with self.processes.fabric.no_backward_sync(self.loss, enabled=parts_left > 0):
            losses: Tensor = self.loss(batch.x, batch.conditions, batch.positions, batch.mask)
            weighted = losses if self.state.balance is None else losses * self._weights(self.state.balance, batch)
            self.processes.fabric.backward(weighted.mean() / self.config.accumulate)
        return losses.detach()

    def _weights(self, balance: Balance, batch: Batch) -> Tensor:
        return balance.weights(self._quantiles(batch)).to(batch.x)

    def _note(self, balance: Balance, losses: Tensor, batches: list[Batch]) -> None:
        u = torch.cat([self._quantiles(batch) for batch in batches])
        balance.add(self.processes.total(balance.note(u, losses)))

    def _quantiles(self, batch: Batch) -> Tensor:
        return training_quantiles(self.config.seed, batch.positions.cpu(), self.config.batch)

    def _skip(self, losses: Tensor, batches: list[Batch]) -> None:
        """Count a step whose loss or gradient is not finite; every process comes to the same decision."""
        progress, scaler = self.state.progress, self.state.scaler
        progress.skipped, progress.bad = progress.skipped + 1, progress.bad + 1
        positions = torch.cat([batch.positions for batch in batches])
        bad = positions[~losses.isfinite().cpu()]
        named = ([name_at(self.examples, position) for position in each.tolist()] for each in (bad, positions))
        of_loss, of_batch = ([name for names in self.processes.gather(mine) for name in names] for mine in named)
        what = f"the loss of {listed(of_loss)}" if of_loss else f"the gradient of {listed(of_batch)}"
        line = f"step {progress.step + 1}: {what} is not finite"
        if progress.bad >= self.config.max_bad_steps:
            in_a_row = f", in {progress.bad} steps in a row" if progress.bad > 1 else ""
            raise self.processes.everywhere(PolydiffError(f"{line}{in_a_row}; try a lower train.optimizer.lr"))
        if self.processes.first:
            _log.warning("%s; the step is left out", line)
        if scaler is not None:
            scaler.update()


def stepper(parts: AnyParts, processes: Processes) -> Stepper:
    """Put the model on its device, with its average, its optimiser and the loss that Fabric wraps.

    Raises
    ------
    UsageError
        When the strategy cannot take the model, or the network cannot be compiled here.
    """
    model, config, fabric = parts.model, parts.recipe.train, processes.fabric
    average = _placed(model.train(), config, processes)
    loss = parts.loss()
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    # Unscaling before clipping does not go with a fused step.
    fused = scaler is None and fabric.device.type in {"cpu", "cuda"}
    wrapped_loss = fabric.setup_module(loss)
    moving = optimizer(loss, config.optimizer, fused=fused)
    state = TrainState(model, average, moving, scaler, _balance(parts.recipe))
    return Stepper(processes, config, state, parts.examples, wrapped_loss, fabric.setup_optimizers(moving))


def _balance(recipe: AnyRecipe) -> Balance | None:
    """Make what balances noise levels, where a recipe wishes so; a distillation has a loss of its own."""
    if isinstance(recipe, Recipe) and recipe.distill is None and recipe.objective.balance:
        return Balance(recipe.objective.balance)
    return None


def _placed(model: Any, config: TrainConfig, processes: Processes) -> EMA[Any]:
    """Put the model and its average where they are trained, whole or divided; the network is compiled if so wished."""
    device, mesh = processes.fabric.device, processes.mesh
    if mesh is None:
        model.to(device)
    average = EMA(model, config.ema.decay)
    if config.compile:
        processes.together(partial(compile_network, model, device))
    if mesh is not None:
        for each in (model, average.model):
            processes.together(partial(shard, each, mesh))
            each.to(device)
    return average


def step_seed(seed: int, step: int, rank: int) -> int:
    """Give the seed of the global generators in a step of a process, for dropout inside networks."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=8).digest(), "big")

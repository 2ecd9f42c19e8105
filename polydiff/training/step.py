"""One optimiser step."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from polydiff.data.examples import Batch, ExampleSet
from polydiff.errors import PolydiffError
from polydiff.recipe.schema import TrainConfig
from polydiff.training.assemble import Parts
from polydiff.training.ema import EMA
from polydiff.training.objective import TrainingLoss
from polydiff.training.optimizer import adamw, learning_rate
from polydiff.training.order import listed, name_at
from polydiff.training.processes import Processes
from polydiff.training.state import TrainState


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
            "loss", the mean over the global batch; "lr"; "grad_norm", before clipping, but in a step that the gradient
            scaler of 16-mixed skips.

        Raises
        ------
        PolydiffError
            When the loss or its gradient is not finite; the model is as before the step.
        """
        config, step = self.config, self.state.progress.step
        torch.manual_seed(step_seed(config.seed, step, self.processes.rank))
        lr = learning_rate(config.optimizer, step, fraction)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        losses = torch.stack([self._backward(batch, len(batches) - i) for i, batch in enumerate(batches, start=1)])
        limit = math.inf if config.clip is None else config.clip
        norm = self.processes.fabric.clip_gradients(self.loss, self.optimizer, max_norm=limit, error_if_nonfinite=False)
        assert norm is not None
        mean = self.processes.total(losses.mean()) / self.processes.count
        loss, gradient = torch.stack([mean, norm]).tolist()
        self._check_finite(loss, gradient, losses.flatten(), batches)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.state.ema.update()
        metrics = {"loss": loss, "lr": lr}
        return metrics | {"grad_norm": gradient} if math.isfinite(gradient) else metrics

    def _backward(self, batch: Batch, parts_left: int) -> Tensor:
        """Add a part's gradients; those of all processes meet at the last part."""
        batch = batch.to(self.processes.fabric.device, non_blocking=True)
        with self.processes.fabric.no_backward_sync(self.loss, enabled=parts_left > 0):
            losses: Tensor = self.loss(batch.x, batch.conditions, batch.positions, batch.mask)
            self.processes.fabric.backward(losses.mean() / self.config.accumulate)
        return losses.detach()

    def _check_finite(self, loss: float, gradient: float, losses: Tensor, batches: list[Batch]) -> None:
        # The gradient scaler of 16-mixed meets infinite gradients as it looks for its scale, and skips them.
        if math.isfinite(loss) and (math.isfinite(gradient) or self.state.scaler is not None):
            return
        positions = torch.cat([batch.positions for batch in batches])[~losses.isfinite().cpu()]
        mine = [name_at(self.examples, position) for position in positions.tolist()]
        names = [name for each in self.processes.gather(mine) for name in each]
        what = f"the loss of {listed(names)}" if names else "the gradient"
        raise self.processes.everywhere(
            PolydiffError(f"step {self.state.progress.step + 1}: {what} is not finite; try a lower train.optimizer.lr")
        )


def stepper(parts: Parts, processes: Processes) -> Stepper:
    """Put the model on its device, with its average, its optimiser and the loss that Fabric wraps."""
    model, recipe, config, fabric = parts.model, parts.recipe, parts.recipe.train, processes.fabric
    fabric.to_device(model.train())
    model.codec.eval().requires_grad_(False)
    dropout = {name: condition.dropout for name, condition in recipe.conditions.items()}
    loss = TrainingLoss(model, parts.objective, seed=config.seed, batch=config.batch, dropout=dropout)
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    # Unscaling before clipping does not go with a fused step.
    fused = scaler is None and fabric.device.type in {"cpu", "cuda"}
    optimizer = adamw(loss, config.optimizer, fused=fused)
    state = TrainState(model, EMA(model, config.ema.decay), optimizer, scaler)
    wrapped_loss, wrapped_optimizer = fabric.setup(loss, optimizer)
    return Stepper(processes, config, state, parts.examples, wrapped_loss, wrapped_optimizer)


def step_seed(seed: int, step: int, rank: int) -> int:
    """Give the seed of the global generators in a step of a process, for dropout inside networks."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=8).digest(), "big")

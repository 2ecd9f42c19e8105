"""Training: from the parts of a recipe to a run folder with a trained model."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from polydiff.errors import RecipeError, UsageError
from polydiff.plugins.host import Host
from polydiff.training import checkpoint
from polydiff.training.assemble import AnyParts
from polydiff.training.checkpoint import DamagedError
from polydiff.training.fallback import newest_whole
from polydiff.training.loop import Loop
from polydiff.training.order import Order, check_shares
from polydiff.training.processes import Processes
from polydiff.training.record import Metrics, Run, environment, open_folder
from polydiff.training.state import Progress
from polydiff.training.step import Stepper, stepper
from polydiff.training.validation import Judge

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    reason
        "finished", "time", "patience" or "interrupted".
    progress
        Where it stood then.
    """

    reason: str
    progress: Progress


def train(parts: AnyParts, run: Run, processes: Processes, *, host: Host, resume: bool = False) -> Outcome:
    """Train a model; unless interrupted, the run ends with `run.model`, a model folder.

    Parameters
    ----------
    parts
        The same on all processes, as is `run`.
    processes
        Launched.
    resume
        Go on from the run's newest checkpoint, exactly as if it had never stopped.

    Raises
    ------
    UsageError
        When there is nothing to resume.
    RecipeError
        When the recipe's numbers do not go together.
    ModelError
        When no checkpoint is whole, or the newest is of another model.
    PolydiffError
        When data cannot be read, a loss is not finite or a file cannot be written.
    """
    config = parts.recipe.train
    processes.together(partial(check_shares, config, processes.count))
    order = Order(config.batch, config.accumulate, process=processes.rank, processes=processes.count)
    validator = processes.together(partial(_validator, parts, order, processes))
    step = stepper(parts, processes)
    previewer = parts.previewer()
    if resume:
        _resume(run, step, processes)
    metrics = _open(parts, run, processes, host)
    try:
        return Outcome(Loop(run, processes, host, step, order, validator, previewer, metrics)(), step.state.progress)
    except RuntimeError as error:
        raise processes.explained(error) from error
    finally:
        if metrics is not None:
            metrics.close()


def _validator(parts: AnyParts, order: Order, processes: Processes) -> Judge | None:
    config = parts.recipe.train
    if parts.held_out is None and config.keeps_best:
        key = "checkpoint.best" if config.checkpoint.best else "validation.patience"
        raise RecipeError(f"train.{key}: nothing is held out to judge by; set data.holdout")
    return parts.validator(order.share, processes)


def _resume(run: Run, step: Stepper, processes: Processes) -> None:
    """Go back to the newest checkpoint that is whole."""
    path = processes.on_first(partial(newest_whole, run.checkpoints))
    processes.together(partial(step.state.load, path))
    progress = step.state.progress
    if progress.step > run.steps:
        error = UsageError(f"{run.folder} is at step {progress.step}; train.steps cannot be {run.steps}")
        raise processes.everywhere(error)
    if run.recipe.train.keeps_best and progress.best:
        lost = processes.on_first(partial(_lost, checkpoint.path_of(run.checkpoints, progress.best_step)))
        if lost:
            progress.forget_best()


def _lost(best: Path) -> bool:
    try:
        checkpoint.verify(best)
    except DamagedError as error:
        _log.warning("%s: the best model so far is lost, and the next validation is the first to compare with", error)
        return True
    return False


def _open(parts: AnyParts, run: Run, processes: Processes, host: Host) -> Metrics | None:
    """Open the run's folder and, on the first process, its metrics."""
    devices = processes.gather(_device_name(processes.fabric.device))
    plugins = {record.plugin.name: record.plugin.version for record in host.plugins if record.status == "ok"}
    metrics: list[Metrics] = []

    def open_run() -> None:
        open_folder(run, environment(devices, plugins))
        metrics.append(Metrics(run, parts.recipe.train.loggers))

    processes.on_first(open_run)
    return metrics[0] if metrics else None


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)

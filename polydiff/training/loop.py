"""The training loop: steps, and what happens between them."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from polydiff import files
from polydiff.data.examples import Batch
from polydiff.data.loader import batches
from polydiff.errors import PolydiffError
from polydiff.plugins.host import Host
from polydiff.recipe.dump import dump
from polydiff.recipe.schema import TrainConfig
from polydiff.training import checkpoint
from polydiff.training.interrupt import Interrupt
from polydiff.training.order import Order
from polydiff.training.processes import Processes
from polydiff.training.record import Metrics, Run
from polydiff.training.saving import export, save
from polydiff.training.sharding import is_sharded
from polydiff.training.state import TrainState
from polydiff.training.step import Stepper
from polydiff.training.validation import Judge

_log = logging.getLogger(__name__)

RECORD_EVERY = 10
"""Steps whose mean loss makes a line of metrics."""

KEPT_PACE = 0.9
"""How much of the running mean of a step's duration each step keeps."""


@dataclass(slots=True)
class Loop:
    """Everything that takes part in a run, set up.

    Attributes
    ----------
    validator, previewer
        `None` where there are no held-out data, no way to draw.
    metrics
        `None` but on the first process.
    """

    run: Run
    processes: Processes
    host: Host
    step: Stepper
    order: Order
    validator: Judge | None
    previewer: Callable[[Any], bytes] | None
    metrics: Metrics | None
    pace: float | None = None

    @property
    def config(self) -> TrainConfig:
        """How to train."""
        return self.run.recipe.train

    @property
    def state(self) -> TrainState:
        """What is trained."""
        return self.step.state

    def __call__(self) -> str:
        """Train to the end, or until stopped.

        Returns
        -------
        str
            Why it ended: "finished", "time", "patience" or "interrupted".

        Raises
        ------
        PolydiffError
            When data cannot be read, a loss is not finite or a file cannot be written.
        """
        self._tell("polydiff_run_start")
        with Interrupt() as interrupt:
            if self.state.progress.step == 0:
                self._preview()
            reason = self._train(interrupt)
            if reason != "interrupted":
                self._finish()
        self._tell("polydiff_run_end", reason=reason)
        return reason

    def _train(self, interrupt: Interrupt) -> str:
        progress, config = self.state.progress, self.config
        budget = math.inf if config.max_minutes is None else 60 * config.max_minutes
        before, started = progress.seconds, time.monotonic()
        stream = self._stream()
        while progress.step < config.steps:
            if self._out_of_patience():
                return "patience"
            began = time.monotonic()
            parts, error = self._read(stream)
            seconds = before + time.monotonic() - started
            interrupted, progress.seconds = self.processes.agree(error, interrupt.requested, seconds)
            if interrupted:
                self._save()
                return "interrupted"
            if progress.seconds >= budget:
                return "time"
            metrics = self.step(parts, self._fraction(budget))
            self._after_step(metrics, time.monotonic() - began)
        return "finished"

    def _out_of_patience(self) -> bool:
        patience = self.config.validation.patience
        return patience is not None and self.state.progress.stale >= patience

    def _fraction(self, budget: float) -> float:
        """Tell how much of the run is behind: of its steps or, once warm, of its time, whichever is more.

        So a run that its time limit ends has annealed all the same. One that stays well within its limit owes nothing
        to the clock.
        """
        progress, config = self.state.progress, self.config
        by_steps = progress.step / config.steps
        return by_steps if progress.step < config.optimizer.warmup else max(by_steps, progress.seconds / budget)

    def _stream(self) -> Iterator[Batch]:
        """Read this process's share of all steps to come."""
        return batches(
            self.step.examples,
            self.order.from_step(self.state.progress.step, self.config.steps),
            workers=self.run.recipe.data.workers,
            pin_memory=self.processes.fabric.device.type == "cuda",
        )

    def _read(self, stream: Iterator[Batch]) -> tuple[list[Batch], PolydiffError | None]:
        """Read the parts of a step."""
        try:
            parts = [next(stream) for _ in range(self.order.parts)]
        except PolydiffError as error:
            return [], error
        for line in (line for batch in parts for line in batch.unreadable):
            _log.warning("left out: %s", line)
        return parts, None

    def _after_step(self, metrics: dict[str, float], seconds: float) -> None:
        progress, config = self.state.progress, self.config
        progress.step += 1
        if "loss" in metrics:
            progress.window.append(metrics["loss"])
        self.pace = seconds if self.pace is None else KEPT_PACE * self.pace + (1 - KEPT_PACE) * seconds
        metrics |= {"samples_per_s": config.batch / self.pace, "seconds": progress.seconds}
        if progress.step % RECORD_EVERY == 0 or progress.step == config.steps:
            mean = {"loss": math.fsum(progress.window) / len(progress.window)} if progress.window else {}
            self._record("train", metrics | mean | {"skipped": progress.skipped})
            progress.window.clear()
        self._tell("polydiff_step_end", step=progress.step, metrics=metrics)
        best = progress.step % config.validation.every == 0 and self._validate()
        if progress.step % config.checkpoint.every == 0 or (best and config.keeps_best):
            self._save()
        if progress.step % config.preview.every == 0:
            self._preview()

    def _validate(self) -> bool:
        """Measure the averaged model; tell whether it is the best so far."""
        if self.validator is None:
            return False
        progress = self.state.progress
        report = self.validator(self.state.ema.model)
        best = progress.note_validation(report.figures)
        self._record("validation", report.as_dict())
        self._tell("polydiff_validation_end", step=progress.step, report=report)
        return best

    def _save(self) -> None:
        progress = self.state.progress
        path = checkpoint.path_of(self.run.checkpoints, progress.step)

        config = self.config.checkpoint
        save(self.state, path, dump(self.run.recipe), self.processes, sharded=config.sharded)
        prune = partial(checkpoint.prune, self.run.checkpoints, config.keep, {progress.best_step})
        self.processes.on_first(prune)
        self._tell("polydiff_checkpoint_saved", step=progress.step, path=path)

    def _preview(self) -> None:
        if self.previewer is None:
            return
        step = self.state.progress.step
        path = self.run.folder / "previews" / f"step-{step:08d}.png"
        model = self.state.ema.model
        # All take part in a sharded model's sampling, each in the whole of it.
        act = self.processes.together if is_sharded(model) else self.processes.on_first
        picture = act(partial(self.previewer, model))
        self.processes.on_first(partial(files.write, path, picture))
        self._tell("polydiff_preview", step=step, path=path)

    def _finish(self) -> None:
        """Measure, keep and show the end; write the model: the average now or, where it is kept, at its best."""
        progress = self.state.progress
        if self.validator is not None and progress.validated != progress.step:
            self._validate()
            self._save()
        elif progress.step not in checkpoint.steps(self.run.checkpoints):
            self._save()
        if progress.step % self.config.preview.every:
            self._preview()
        figures = progress.figures
        if self.config.keeps_best:
            self.state.load_average(checkpoint.path_of(self.run.checkpoints, progress.best_step))
            figures = progress.best
        export(self.state.ema.model, self.run.model, figures, self.processes)

    def _record(self, kind: str, values: Mapping[str, Any]) -> None:
        def add() -> None:
            assert self.metrics is not None
            self.metrics.add(kind, self.state.progress.step, values)

        self.processes.on_first(add)

    def _tell(self, hook: str, **facts: object) -> None:
        """Tell the observers, from the first process."""
        if self.processes.first:
            getattr(self.host.hook, hook)(run=self.run, **facts)

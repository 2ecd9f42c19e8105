"""A rehearsal: a few steps of a run that leave nothing behind."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from polydiff.data.loader import batches
from polydiff.training.assemble import AnyParts
from polydiff.training.order import Order
from polydiff.training.processes import Processes
from polydiff.training.step import stepper

STEPS = 3


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a run would be.

    Attributes
    ----------
    parameters
        How many are trained.
    shape
        Of one example, (C, *).
    loss
        Of the first batch; not a number where it is not finite.
    seconds_per_step
        Once warm.
    """

    parameters: int
    shape: tuple[int, ...]
    loss: float
    seconds_per_step: float


def rehearse(parts: AnyParts, processes: Processes) -> Rehearsal:
    """Make a few steps on one process, forwards and backwards; the model in `parts` is used up.

    Raises
    ------
    PolydiffError
        As training would.
    """
    config = parts.recipe.train
    step = stepper(parts, processes)
    order = Order(config.batch, config.accumulate, process=0, processes=1)
    stream = batches(parts.examples, order.from_step(0, STEPS))
    losses, seconds = [], []
    for index in range(STEPS):
        began = time.monotonic()
        step.state.progress.step = index
        losses.append(step([next(stream) for _ in range(order.parts)], fraction=0.0).get("loss", math.nan))
        seconds.append(time.monotonic() - began)
    parameters = sum(p.numel() for p in parts.model.parameters() if p.requires_grad)
    return Rehearsal(parameters, parts.examples.codec.shape, losses[0], min(seconds))

"""Validation: the objective on held-out data, at fixed times and with fixed noise, in bands of noise levels."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from polydiff.core.denoiser import LOG_SNR_LIMIT
from polydiff.core.noise import VALIDATION, Seeds
from polydiff.core.schedule import Schedule
from polydiff.data.examples import Batch, ExampleSet
from polydiff.data.loader import batches
from polydiff.errors import PolydiffError
from polydiff.model.model import Model
from polydiff.recipe.schema import ValidationConfig
from polydiff.training.objective import AnyObjective, stratified
from polydiff.training.order import listed, name_at
from polydiff.training.processes import Processes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and half the width of its 95 % confidence interval."""

    loss: float
    ci: float


@dataclass(frozen=True, slots=True)
class Band(Estimate):
    """The mean loss over a band of noise levels, from the highest log-SNR in it to the lowest."""

    log_snr_high: float
    log_snr_low: float


@dataclass(frozen=True, slots=True)
class Report:
    """What a validation measured.

    Attributes
    ----------
    total
        The objective as trained, on held-out data.
    bands
        Its parts, of equal mass of the training times, from the least noise to the most; none of a codec or a pair.
    fidelity
        Of a codec: the means of what the modality measures of a content and what it was made of. Of a contrastive pair:
        how near contents and their captions are.
    """

    total: Estimate
    bands: tuple[Band, ...] = ()
    fidelity: Mapping[str, float] = field(default_factory=dict)

    @property
    def figures(self) -> dict[str, float]:
        """Give the total and the fidelity as plain numbers."""
        return {**asdict(self.total), **self.fidelity}

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain data."""
        return {**self.figures, **({"bands": [asdict(band) for band in self.bands]} if self.bands else {})}


class Judge(Protocol):
    """Measures what is trained, on held-out data."""

    def __call__(self, model: Any, /) -> Report:
        """Measure it, in evaluation mode; all processes take part."""


class HeldOut:
    """Held-out data at the positions 0 to `count` - 1, evaluated by all processes together.

    Parameters
    ----------
    batch
        Samples evaluated at once.
    """

    def __init__(self, examples: ExampleSet, count: int, *, batch: int, workers: int, processes: Processes) -> None:
        self.examples, self.count = examples, count
        self.batch, self.workers = batch, workers
        self.processes = processes
        self.reported: set[str] = set()

    def items(self) -> Tensor:
        """Tell which item of the source stands at each position, (count,)."""
        return torch.tensor([self.examples.index_at(j) for j in range(self.count)])

    @torch.no_grad()
    def measure(self, of: Callable[[Batch], Tensor], width: int = 1) -> Tensor:
        """Give the numbers that `of` gives for each sample of a batch on its device, (count, width) float64.

        Raises
        ------
        DataError
            When a held-out item cannot be read and the recipe says to stop.
        PolydiffError
            When a number is not finite.
        """
        measured = torch.zeros(self.count, width, dtype=torch.float64)
        chunks = [range(start, min(start + self.batch, self.count)) for start in range(0, self.count, self.batch)]
        rank, count, device = self.processes.rank, self.processes.count, self.processes.fabric.device
        # Each process evaluates as many, as all take part in each evaluation of a sharded model; some in vain.
        rounds = -(-len(chunks) // count)
        mine = [chunks[(rank + count * i) % len(chunks)] for i in range(rounds)]
        stream = batches(self.examples, mine, workers=self.workers)
        for i in range(rounds):
            batch = self.processes.together(lambda: next(stream))
            self._report(batch)
            numbers = of(batch.to(device)).cpu().double().view(-1, width)
            if rank + count * i < len(chunks):
                measured[batch.positions] = numbers
        measured = self.processes.total(measured)
        bad = measured.isfinite().all(1).logical_not().nonzero()
        names = [name_at(self.examples, int(j)) for j in bad]
        if names:
            raise self.processes.everywhere(PolydiffError(f"validation: the loss of {listed(names)} is not finite"))
        return measured

    def _report(self, batch: Batch) -> None:
        for line in batch.unreadable:
            if line not in self.reported:
                _log.warning("left out: %s", line)
        self.reported.update(batch.unreadable)


class Validator:
    """Measures a model the same way each time, and in every run of one seed.

    Sample j is the item at position j of the held-out data (which start over when they are fewer) at a time of band
    j mod `bands`, each sample in a stratum of its own. So the difference between two validations is the model's alone.

    Parameters
    ----------
    batch
        Samples evaluated at once.
    """

    def __init__(
        self,
        objective: AnyObjective,
        examples: ExampleSet,
        config: ValidationConfig,
        *,
        seed: int,
        batch: int,
        workers: int,
        processes: Processes,
    ) -> None:
        self.objective, self.bands, self.seed = objective, config.bands, seed
        self.count = config.samples // config.bands * config.bands
        self.held_out = HeldOut(examples, self.count, batch=batch, workers=workers, processes=processes)
        self.processes = processes

    def __call__(self, model: Model) -> Report:
        """Measure a model that is in evaluation mode; all processes take part.

        Raises
        ------
        DataError
            When a held-out item cannot be read and the recipe says to stop.
        PolydiffError
            When a loss is not finite.
        """
        times = self.times(model.denoiser.schedule)
        losses = self.held_out.measure(lambda batch: self._losses(model, batch, times[batch.positions.cpu()]))
        losses, items = losses.view(-1, self.bands), self.held_out.items().view(-1, self.bands)
        log_snr = model.denoiser.schedule.log_snr(times)
        log_snr = log_snr.clamp(-LOG_SNR_LIMIT, LOG_SNR_LIMIT).view(-1, self.bands)  # as the network is told
        bands = tuple(
            Band(*interval(losses[:, [b]], items[:, [b]]), float(log_snr[:, b].max()), float(log_snr[:, b].min()))
            for b in range(self.bands)
        )
        return Report(Estimate(*interval(losses, items)), bands)

    def times(self, schedule: Schedule) -> Tensor:
        """Give the fixed times of all samples, (count,) float64."""
        j = torch.arange(self.count)
        per_band = self.count // self.bands
        jitter = Seeds(self.seed, j).uniform((), stream=VALIDATION)
        return self.objective.times(
            stratified(jitter, j % self.bands * per_band + j // self.bands, self.count), schedule
        )

    def _losses(self, model: Model, batch: Batch, t: Tensor) -> Tensor:
        x0 = batch.x
        # Step 1: the times took step 0 of this stream.
        seeds = Seeds(self.seed, batch.positions.cpu())
        eps = seeds.normal(x0.shape[1:], stream=VALIDATION, step=1, device=x0.device)
        with self.processes.fabric.autocast():
            cond = self.objective.condition(model, batch.conditions, seeds)
            return self.objective.losses(model.denoiser, x0, t, eps, cond, batch.mask)


def interval(losses: Tensor, items: Tensor) -> tuple[float, float]:
    """Give the mean of (n, k) losses in k strata of equal mass, and half its 95 % confidence interval.

    The losses of one of the `items`, (n, k), are alike and so count together (the cluster-robust variance); where there
    is one item only, the interval is that of the noise. The degrees of freedom are Satterthwaite's, for strata whose
    variances differ.
    """
    n, k = losses.shape
    _, cluster = torch.unique(items.flatten(), return_inverse=True)
    if cluster.max() == 0:
        cluster = torch.arange(n * k)
    clusters = int(cluster.max()) + 1
    sums = losses.new_zeros(clusters).index_add_(0, cluster, (losses - losses.mean(0)).flatten())
    lost = max(n / (n - 1), clusters / (clusters - 1))
    error = float((sums.square().sum() * lost).sqrt()) / (n * k)
    of_strata = losses.var(0)
    freedom = (n - 1) * float(of_strata.sum() ** 2 / of_strata.square().sum()) if of_strata.any() else 1
    return float(losses.mean()), student_t(max(1, min(int(freedom), clusters - 1))) * error


def student_t(freedom: int) -> float:
    """Give the 97.5 % quantile of Student's t to 1 % or better (Abramowitz & Stegun, eq. 26.7.5)."""
    if freedom == 1:
        return math.tan(0.475 * math.pi)
    z = 1.959963984540054
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))

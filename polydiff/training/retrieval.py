"""How well a contrastive pair finds the captions of held-out contents: its validation, and its previews."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor

from polydiff.conditioning.key import UNKNOWN, key_of
from polydiff.data.examples import Batch, ExampleSet
from polydiff.metrics.alignment import alignment
from polydiff.model.pair import Pair
from polydiff.recipe.schema import CodecValidationConfig
from polydiff.training.contrastive import info_nce
from polydiff.training.preview import Draw
from polydiff.training.processes import Processes
from polydiff.training.validation import Estimate, HeldOut, Report, interval


class Retrieval:
    """Measures the loss among all held-out items at once, and `polydiff.metrics.alignment` on them.

    The loss grows with the logarithm of the number of items that each is told from, so that it compares with that of
    training where that number, `train.validation.samples`, is the size of a batch.

    Parameters
    ----------
    batch
        Items encoded at once.
    """

    def __init__(
        self, examples: ExampleSet, config: CodecValidationConfig, *, batch: int, workers: int, processes: Processes
    ) -> None:
        self.held_out = HeldOut(
            examples, min(config.samples, len(examples)), batch=batch, workers=workers, processes=processes
        )

    def __call__(self, model: Pair) -> Report:
        """Measure a pair in evaluation mode; raises as `HeldOut.measure` does."""
        width = model.config.contrastive.width
        measured = self.held_out.measure(lambda batch: self._of(model, batch), width=2 * width + 1)
        z, c, keys = measured[:, :width], measured[:, width:-1], measured[:, -1].long()
        scale = model.log_scale.detach().exp().cpu().double()
        losses = info_nce(scale * z, scale * c, keys, z, c, keys)
        total = Estimate(*interval(losses[:, None], self.held_out.items()[:, None]))
        known = keys != UNKNOWN
        if not known.any():
            return Report(total)
        found = asdict(alignment(z[known], c[known], keys[known]))
        return Report(total, fidelity={name: value for name, value in found.items() if value is not None})

    def _of(self, model: Pair, batch: Batch) -> Tensor:
        values = batch.conditions[model.fact]
        with self.held_out.processes.fabric.autocast():
            z, c = model.of_data(batch.x), model.of_values(values)
        keys = torch.tensor([key_of(value) for value in values], dtype=torch.float64)
        return torch.cat((z.cpu().double(), c.cpu().double(), keys[:, None]), 1)


class RetrievalPreviewer:
    """Draws some held-out items, each with the caption, among all of theirs, that is nearest."""

    def __init__(self, examples: ExampleSet, draw: Draw, *, samples: int) -> None:
        self.draw = draw
        items = [examples[position] for position in range(samples)]
        self.x = torch.stack([item.x for item in items])
        self.conditions = [item.conditions for item in items]

    @torch.no_grad()
    def __call__(self, model: Pair) -> bytes:
        """Draw for a pair in evaluation mode; the picture is a PNG."""
        values = [each[model.fact] for each in self.conditions]
        known = [value for value in values if value is not None]
        captions = [""] * len(values)
        if known:
            nearest = (model.of_data(self.x.to(model.device)) @ model.of_values(known).T).argmax(1)
            captions = [model.conditioner.describe(known[i]) for i in nearest.tolist()]
        return self.draw(model.codec.decode(self.x.to(model.device)), captions)

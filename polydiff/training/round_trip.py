"""How true what comes back of a codec is: its validation, and its previews."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from polydiff.data.examples import Batch, ExampleSet
from polydiff.model.codec_model import CodecModel
from polydiff.recipe.schema import CodecValidationConfig
from polydiff.training.preview import Draw
from polydiff.training.processes import Processes
from polydiff.training.reconstruction import CodecObjective
from polydiff.training.validation import Estimate, HeldOut, Report, interval

Fidelity = Callable[[Any, Any], Mapping[str, float]]
"""Measures a content by what it was made of: a modality's function of that name."""


class RoundTrip:
    """Measures the reconstruction loss on held-out items and, by the modality's own measures, their contents.

    Losses that learn, as `adversarial` does, are no yardstick and are left out.

    Parameters
    ----------
    batch
        Items at once.
    """

    def __init__(
        self,
        objective: CodecObjective,
        fidelity: Fidelity | None,
        examples: ExampleSet,
        config: CodecValidationConfig,
        *,
        batch: int,
        workers: int,
        processes: Processes,
    ) -> None:
        self.objective, self.fidelity = objective.judged(), fidelity
        self.held_out = HeldOut(
            examples, max(2, min(config.samples, len(examples))), batch=batch, workers=workers, processes=processes
        )
        self.names = tuple(self._measures(*[examples.codec.decode(examples[0].x[None])[0]] * 2))

    def __call__(self, model: CodecModel) -> Report:
        """Measure a codec in evaluation mode; raises as `HeldOut.measure` does."""
        measured = self.held_out.measure(lambda batch: self._of(model, batch), width=1 + len(self.names))
        total = Estimate(*interval(measured[:, :1], self.held_out.items()[:, None]))
        return Report(total, fidelity=dict(zip(self.names, measured[:, 1:].mean(0).tolist(), strict=True)))

    def _of(self, model: CodecModel, batch: Batch) -> Tensor:
        with self.held_out.processes.fabric.autocast():
            y = model.reconstruct(batch.x).float()
        losses = self.objective.reconstruction(y, batch.x)
        pairs = zip(model.codec.codec.decode(y), model.codec.codec.decode(batch.x), strict=True)
        rows = [list(self._measures(content, original).values()) for content, original in pairs]
        return torch.cat([losses.cpu().double()[:, None], torch.tensor(rows, dtype=torch.float64).view(len(y), -1)], 1)

    def _measures(self, content: Any, original: Any) -> Mapping[str, float]:
        return {} if self.fidelity is None else self.fidelity(content, original)


class RoundTripPreviewer:
    """Draws some held-out items, each beside what comes back of it."""

    def __init__(self, examples: ExampleSet, draw: Draw, *, samples: int) -> None:
        self.draw = draw
        self.x = torch.stack([examples[position].x for position in range(samples)])

    @torch.no_grad()
    def __call__(self, model: CodecModel) -> bytes:
        """Draw for a codec in evaluation mode; the picture is a PNG."""
        device = next(model.parameters()).device
        codec = model.codec.codec
        originals, returned = (codec.decode(x) for x in (self.x, model.reconstruct(self.x.to(device))))
        pairs: Sequence[Any] = [each for pair in zip(originals, returned, strict=True) for each in pair]
        return self.draw(pairs, ["original", "returned"] * len(originals))

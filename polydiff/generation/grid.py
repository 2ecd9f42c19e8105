"""A sheet of prompts against guidance: every cell from the same noise, so that only these two make a difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polydiff.core.noise import Seeds
from polydiff.drawing import Captions
from polydiff.errors import UsageError
from polydiff.model.conditions import Wish
from polydiff.model.model import Model
from polydiff.model.settings import check_set
from polydiff.plugins.host import host
from polydiff.recipe.component import Component


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What stands in the cells. What is `None` is as the recipe says.

    Attributes
    ----------
    prompts
        One row each, or `samples` rows.
    scales
        Of the guidance: one column each.
    samples, seed, first
        Each prompt is drawn from the noise of samples `first` to `first + samples - 1` of the seed.
    negative
        What guidance leads away from.
    conditions
        That all cells have besides; one value each.
    size, sampler, steps, grid
        As for `polydiff.generation.request.Request`.
    batch
        How many cells to compute at a time.

    Raises
    ------
    UsageError
        When there is no prompt or no scale, or a number is out of range.
    """

    prompts: Sequence[str]
    scales: Sequence[float]
    samples: int = 1
    seed: int = 0
    first: int = 0
    negative: str | None = None
    conditions: Mapping[str, Wish] = field(default_factory=dict)
    size: str | None = None
    sampler: str | Component | None = None
    steps: int | None = None
    grid: str | Component | None = None
    batch: int = 64

    def __post_init__(self) -> None:
        check_set(self.samples, self.first, self.seed, self.batch)
        if not self.prompts or not self.scales:
            raise UsageError("a grid needs a prompt and a scale of guidance at least")

    @property
    def rows(self) -> list[tuple[str, int]]:
        """The prompt and the sample's index of each row."""
        return [(prompt, self.first + i) for prompt in self.prompts for i in range(self.samples)]


def draw_grid(model: Model, wanted: Grid, on_batch: Callable[[int], None] | None = None) -> bytes:
    """Draw the sheet, a PNG: prompts from top to bottom, scales from left to right.

    Raises
    ------
    UsageError
        When the model takes no prompts, or a value is not one that can be used.
    """
    columns = [_column(model, wanted, scale, on_batch) for scale in wanted.scales]
    contents = [cell for row in zip(*columns, strict=True) for cell in row]
    texts = [f"{prompt} · {scale:g}" for prompt, _ in wanted.rows for scale in wanted.scales]
    draw: Callable[[Sequence[Any], Sequence[str]], bytes] = host().load(
        host().modality(model.config.modality), "preview"
    )
    return draw(contents, Captions(texts, len(wanted.scales)))


def _column(model: Model, wanted: Grid, scale: float, on_batch: Callable[[int], None] | None) -> list[Any]:
    rows, text = wanted.rows, model.prompted
    shape = None if wanted.size is None else model.codec.shape_for(wanted.size)
    contents: list[Any] = []
    for start in range(0, len(rows), wanted.batch):
        prompts, indices = zip(*rows[start : start + wanted.batch], strict=True)
        assigned = model.assign({**wanted.conditions, text: prompts})
        avoided = {} if wanted.negative is None else model.assign({text: [wanted.negative]})
        values, away = (
            {name: [one.value(i) for i in range(len(prompts))] for name, one in each.items()}
            for each in (assigned, avoided)
        )
        x = model.sample(
            Seeds(wanted.seed, indices),
            values,
            shape=shape,
            sampler=wanted.sampler,
            steps=wanted.steps,
            guidance=scale,
            grid=wanted.grid,
            avoided=away if scale != 1 else None,
        )
        decoded = model.codec.decode(x)
        contents += decoded if wanted.size is None else [model.codec.cut(each, wanted.size) for each in decoded]
        if on_batch is not None:
            on_batch(len(prompts))
    return contents

"""Time grids tuned for a model: lists of times, beside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from polydiff import files
from polydiff.errors import ModelError, UsageError
from polydiff.model.folder import check_format
from polydiff.recipe.component import Component

FILE = "grids.json"
"""In the model folder. It is not in the manifest: what it says is checked when it is read."""

FORMAT = 1

TUNED = "tuned"
"""What `--grid` calls the grid that was tuned for the model, the sampler and the number of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedGrid:
    """A time grid and what it is for.

    Attributes
    ----------
    sampler
        A sampler with all its options, flat.
    times
        Falling from 1 to 0.
    model
        The SHA-256 of the weights that it was tuned for.
    figures
        How it was found and what it gained, for readers.
    """

    sampler: Mapping[str, Any]
    times: tuple[float, ...]
    model: str
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.times) - 1

    def __str__(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.sampler.items() if key != "name")
        return f"{self.sampler['name']}{f' ({options})' if options else ''} with {self.steps} steps"


def read(folder: Path) -> list[TunedGrid]:
    """Read the tuned grids of a model folder; there may be none.

    Raises
    ------
    ModelError
        When the file leads outside the folder, or is not one that `add` wrote.
    """
    file = folder / FILE
    if not files.is_inside(folder, file):
        raise ModelError(f"{file} leads outside the folder")
    if not file.exists():
        return []
    try:
        content = files.read_json(file)
        version, entries = content["format"], content["grids"]
        grids = [TunedGrid(**{**entry, "times": tuple(map(float, entry["times"]))}) for entry in entries]
        sound = all(_sound(grid) for grid in grids)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(f"{file} is damaged; remove it to do without tuned grids") from error
    check_format(file, version)
    if not sound:
        raise ModelError(f"{file} is damaged; remove it to do without tuned grids")
    return grids


def add(folder: Path, grid: TunedGrid) -> None:
    """Put a grid into a model folder, in the place of one for the same sampler and steps; raises as `read` does."""
    others = [each for each in read(folder) if (each.sampler, each.steps) != (grid.sampler, grid.steps)]
    content = {"format": FORMAT, "grids": [asdict(each) for each in (*others, grid)]}
    files.write(folder / FILE, (json.dumps(content, indent=2) + "\n").encode())


def find(folder: Path, model: str, sampler: Component, steps: int) -> Component:
    """Give the grid tuned for a sampler, with all its options, and steps.

    Parameters
    ----------
    model
        The SHA-256 of the weights.

    Returns
    -------
    Component
        The grid `times`.

    Raises
    ------
    UsageError
        When there is none, or it was tuned for other weights.
    ModelError
        As `read` does.
    """
    grids = read(folder)
    wanted = TunedGrid(sampler=sampler.flat(), times=(0.0,) * (steps + 1), model=model)
    for grid in grids:
        if (grid.sampler, grid.steps) == (wanted.sampler, wanted.steps):
            if grid.model != model:
                raise UsageError(f"the time grid tuned for {grid} is of other weights: run `polydiff tune-grid` again")
            return Component("times", {"times": list(grid.times)})
    known = "; ".join(map(str, grids)) or "none"
    raise UsageError(f"no time grid is tuned for {wanted}, there is {known}: make it with `polydiff tune-grid`")


def _sound(grid: TunedGrid) -> bool:
    falls = all(s < t for t, s in zip(grid.times, grid.times[1:], strict=False))
    return falls and grid.times[:1] + grid.times[-1:] == (1.0, 0.0) and isinstance(grid.sampler["name"], str)

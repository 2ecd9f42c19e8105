"""The receipt: what each rung cost in quality, and what it saved."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from polydiff import files
from polydiff.distillation.judge import Judgement
from polydiff.distillation.request import Request
from polydiff.errors import PolydiffError, UsageError

FILE = "receipt.json"

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Row:
    """One model, judged.

    Attributes
    ----------
    name
        "teacher", or a rung's folder.
    sampler, steps
        It was sampled with.
    evaluations, seconds, figures, distance
        As `Judgement` has them.
    loss
        What its last validation measured; `None` where there was none.
    minutes
        It took to train.
    beyond
        The metrics by which it is beyond the limit.
    """

    name: str
    sampler: str
    steps: int
    evaluations: float
    seconds: float
    figures: Mapping[str, float]
    distance: float
    loss: float | None = None
    minutes: float = 0.0
    beyond: Sequence[str] = ()

    @classmethod
    def of(cls, name: str, judged: Judgement, **facts: Any) -> Row:
        """Make a row of a judgement."""
        return cls(name=name, **asdict(judged), **facts)


@dataclass(slots=True)
class Receipt:
    """All rows, and what the ladder was asked for.

    Attributes
    ----------
    samples
        How many were judged of each.
    real
        The metrics between the halves of real data: as near as can be told.
    teacher, untaught
        What students learnt from, and that same model with as few steps as the last of them has.
    rungs
        In turn, as far as it got.
    """

    request: Request
    samples: int = 0
    real: Mapping[str, float] = field(default_factory=dict)
    teacher: Row | None = None
    untaught: Row | None = None
    rungs: list[Row] = field(default_factory=list)

    @property
    def kept(self) -> Row | None:
        """The last rung within the limit."""
        return next((row for row in reversed(self.rungs) if not row.beyond), None)

    @property
    def stopped(self) -> bool:
        """Whether a rung was beyond the limit."""
        return any(row.beyond for row in self.rungs)

    @property
    def minutes(self) -> float:
        """How long all rungs took to train."""
        return sum(row.minutes for row in self.rungs)

    def rung(self, name: str) -> Row | None:
        """Give the row of a rung, if it was judged."""
        return next((row for row in self.rungs if row.name == name), None)

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain data."""
        kept = self.kept
        return {"format": FORMAT, **asdict(self), "kept": kept and kept.name}

    def write(self, folder: Path) -> None:
        """Write it into the ladder's folder.

        Raises
        ------
        PolydiffError
            When the system refuses.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise files.cannot_write(folder, error) from error
        data = {**self.as_dict(), "model_from_here": os.path.relpath(self.request.folder.resolve(), folder.resolve())}
        files.write(folder / FILE, (json.dumps(data, indent=2) + "\n").encode())


def read(folder: Path) -> Receipt:
    """Read the receipt of a ladder, as far as it got.

    Where its model is gone from where it was, it is looked for as it lay from the ladder: both may have been moved.

    Raises
    ------
    UsageError
        When the folder holds none.
    PolydiffError
        When it is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        raise UsageError(f"{folder} holds no ladder to go on with: there is no {FILE} in it")
    try:
        data = files.read_json(path)
        rows = [each and Row(**each) for each in (data["teacher"], data["untaught"], *data["rungs"])]
        request = Request.from_dict(data["request"])
        moved = (folder / data.get("model_from_here", ".")).resolve()
        if not request.folder.exists() and moved.exists():
            request = replace(request, model=str(moved))
        return Receipt(request, data["samples"], data["real"], rows[0], rows[1], rows[2:])
    except (ValueError, TypeError, KeyError) as error:
        raise PolydiffError(f"{path} is damaged") from error

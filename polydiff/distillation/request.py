"""What is to be distilled, how far, and by which means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from polydiff.errors import UsageError

OWN = ("distill", "distilled", "flow_map")
"""The sections of a rung's recipe that the ladder writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A ladder from a model to a student of fewer steps.

    Attributes
    ----------
    model
        A run folder, or a model folder where `overrides` say what data there are.
    steps
        Of the last student.
    method
        A registered way to distil: its name or, with options, '{name: consistency, pairs: data}'.
    start
        The steps of the teacher that the first student learns from.
    guidance
        Built in: the scale of classifier-free guidance, or the least and the greatest that the student is to be told;
        the recipe's by default.
    max_minutes
        For the whole ladder.
    rung_steps
        Optimiser steps of each rung.
    limit
        How many times as far from real data as the teacher a student may be.
    samples
        How many of each are judged.
    overrides
        "train.batch=64", ...: of the recipe that students train by; "sample.steps=...": of how the teacher is sampled.

    Raises
    ------
    UsageError
        When a number is out of range, or an override is of what the ladder itself says.
    """

    model: str
    steps: int
    method: str = "progressive"
    start: int | None = None
    guidance: float | tuple[float, float] | None = None
    max_minutes: float | None = None
    rung_steps: int | None = None
    limit: float = 1.3
    samples: int = 200
    overrides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.steps < 1 or self.samples < 4:
            raise UsageError(f"a student takes a step at least, its receipt 4 samples: {self.steps}, {self.samples}")
        if not self.limit > 0:
            raise UsageError(f"--limit is how many times as far from real data one may be; got {self.limit}")
        _check_guidance(self.guidance)
        for override in self.overrides:
            if _section(override) in OWN:
                raise UsageError(f"{override}: the ladder says that; options go with --method '{{name: ..., ...}}'")

    @property
    def folder(self) -> Path:
        """The model's folder, as given."""
        return Path(self.model)

    @property
    def overrides_of_training(self) -> Sequence[str]:
        """Give the overrides but for those of how the teacher is sampled."""
        return [each for each in self.overrides if _section(each) != "sample"]

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` gave, by way of JSON."""
        guidance = data["guidance"]
        chosen = tuple(guidance) if isinstance(guidance, list) else guidance
        return cls(**{**data, "guidance": chosen, "overrides": tuple(data["overrides"])})


def _check_guidance(guidance: float | tuple[float, float] | None) -> None:
    """Refuse scales that nobody means to have built in, such as those that lead away from what is asked for."""
    scales = guidance if isinstance(guidance, tuple) else [] if guidance is None else [guidance]
    written = ":".join(f"{scale:g}" for scale in scales)
    if not all(scale >= 0 and math.isfinite(scale) for scale in scales):
        raise UsageError(f"--guidance takes finite scales from 0 up, of which 1 is plain; not {written}")
    if isinstance(guidance, tuple) and not guidance[0] < guidance[1]:
        raise UsageError(f"--guidance MIN:MAX needs MIN < MAX, not {written}")


def _section(override: str) -> str:
    """Name the section of a recipe that an override is of."""
    return override.partition("=")[0].partition(".")[0]

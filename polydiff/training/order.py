"""Which positions of the run each process reads in each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polydiff.data.examples import ExampleSet
from polydiff.errors import RecipeError
from polydiff.recipe.schema import TrainConfig


@dataclass(frozen=True, slots=True)
class Order:
    """How the global batch is dealt to processes and to the parts that gradients accumulate over.

    Step k stands on positions k B to (k + 1) B - 1. Positions are dealt like cards: each part then spans all strata of
    the times.

    Attributes
    ----------
    batch
        B: the samples of a step, over all processes and parts.
    parts
        How many each process takes one after the other.
    process, processes
        This one, from 0, of how many.

    """

    batch: int
    parts: int
    process: int
    processes: int

    def __post_init__(self) -> None:
        assert self.batch % (self.parts * self.processes) == 0, "the batch cannot be dealt evenly"

    @property
    def share(self) -> int:
        """Count the samples of one part on one process."""
        return self.batch // (self.parts * self.processes)

    def from_step(self, first: int, steps: int) -> Iterator[range]:
        """Give the positions of each part of this process, step by step."""
        hands = self.parts * self.processes
        for step in range(first, steps):
            for part in range(self.parts):
                start = step * self.batch
                yield range(start + part * self.processes + self.process, start + self.batch, hands)


def check_shares(config: TrainConfig, processes: int) -> None:
    """Check that the global batch can be dealt evenly.

    Raises
    ------
    RecipeError
        When it cannot; with the nearest batch that can.
    """
    hands = config.accumulate * processes
    if config.batch % hands:
        near = max(hands, round(config.batch / hands) * hands)
        raise RecipeError(
            f"train.batch: {config.batch} cannot be shared evenly by {processes} devices times {config.accumulate} "
            f"accumulated parts; the nearest is {near}"
        )


def name_at(examples: ExampleSet, position: int) -> str:
    """Say which item stands at a position, without reading it."""
    return examples.source.name(examples.index_at(position))


def listed(names: Sequence[str], at_most: int = 5) -> str:
    """Write names as a list, each once, of bounded length."""
    names = list(dict.fromkeys(names))
    more = [f"{len(names) - at_most} more"] if len(names) > at_most else []
    return ", ".join(names[:at_most] + more)

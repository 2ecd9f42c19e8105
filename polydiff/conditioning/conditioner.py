"""From what is known of an example to what a network is conditioned on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Protocol

from torch import nn

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, nearest


class Facts(Protocol):
    """What is known of one example."""

    @property
    def facts(self) -> Sequence[str]:
        """Name the facts that are known."""

    def get(self, key: str) -> Any:
        """Give the fact of that name, `None` when it is not known."""


class FactSource(Protocol):
    """Examples, as a conditioner sees them."""

    @property
    def classes(self) -> Sequence[str]:
        """The labels that occur, in the order of their indices."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Facts: ...


class Conditioner(nn.Module, ABC):
    """Makes a `Condition` of one fact of each example: its label, its caption, a number, ...

    Subclasses take their options as keywords with defaults and precise type hints: recipes are checked against them.

    Attributes
    ----------
    dims
        The widths of the parts that it gives.
    takes_prompts
        Whether what a user writes for it is a prompt: what `--prompt` is for.
    """

    takes_prompts: ClassVar[bool] = False

    dims: ConditionDims

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the options with what the training data tell, before the first `Conditioner` is made.

        Parameters
        ----------
        source
            The training data.
        name
            Of the fact.
        options
            What the recipe says, as plain data.

        Raises
        ------
        DataError
            When the data are not what the options say.
        """
        return dict(options)

    @abstractmethod
    def prepare(self, value: Any) -> Any:
        """Make a raw value, of numbers, texts, lists and arrays, of an example's fact; `None` of `None`.

        Raises
        ------
        DataError
            When the fact is none that can be used.
        """

    @abstractmethod
    def parse(self, text: str) -> Any:
        """Read a raw value as a user writes it.

        Raises
        ------
        UsageError
            When it is none; the message gives the nearest.
        """

    def split(self, text: str) -> Sequence[str]:
        """Divide what a user writes for several samples ("3,5") into the values that they take in turn."""
        return [text]

    def unread(self, text: str) -> str:
        """Give what `parse` leaves out of a text; empty when nothing, as for all but those that are told to."""
        return ""

    def describe(self, value: Any) -> str:
        """Write a raw value for people, as `parse` reads it."""
        return str(value)

    @abstractmethod
    def forward(self, values: Sequence[Any]) -> Condition:
        """Make the condition of B raw values; of `None` exactly the unconditional one, zeros.

        It has the same number of tokens whatever the values, some of them masked out: a condition that is dropped is
        then the same to the last bit as one that was never given, whatever stands beside it in the batch.
        """


def absent(source: FactSource, name: str) -> DataError:
    """Make the error that no example has a fact; it names the nearest that the first readable one has."""
    facts: Sequence[str] = ()
    for i in range(len(source)):
        with suppress(DataError):
            facts = source[i].facts
            break
    hint = f"; {nearest(name, facts)}" if facts else " or any other; 'conditions={}' trains without"
    return DataError(f"no example has the fact '{name}'{hint}")


def known_facts(source: FactSource, name: str, at_most: int | None = None) -> Iterator[Any]:
    """Give a fact of every example, or of some thousands spread evenly over the source, where it is known.

    Unreadable examples are left out here: the data loader reports them.
    """
    total = len(source)
    count = total if at_most is None else min(at_most, total)
    for i in range(count):
        try:
            value = source[i * total // count].get(name)
        except DataError:
            continue
        if value is not None:
            yield value

"""The conditions of a model: how wide they are together, and what a user's `label="0,1,2"` means for each sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from polydiff.conditioning.conditioner import Conditioner
from polydiff.core.condition import Condition, ConditionDims, add
from polydiff.errors import UsageError, unknown
from polydiff.recipe.schema import ModelConfig

Wish = str | float | Sequence[str | float]
"""One value for all samples, or several that the samples take in turn; numbers count as their text."""


def total_dims(config: ModelConfig, conditioners: Mapping[str, Conditioner]) -> ConditionDims:
    """Give the widths of all conditions together: vectors add up and tokens stand in line, so they share a width.

    Raises
    ------
    RecipeError
        When two conditions' vectors, or tokens, differ in width.
    """
    vector = tokens = channels = 0
    for name, conditioner in conditioners.items():
        dims = conditioner.dims
        for what, width, common in (("vector", dims.vector, vector), ("tokens", dims.tokens, tokens)):
            if width and common and width != common:
                message = f"its {what} width is {width}, that of the conditions before it {common}; they must be equal"
                raise config.conditions[name].error(message)
        vector, tokens, channels = vector or dims.vector, tokens or dims.tokens, channels + dims.channels
    return ConditionDims(vector, tokens, channels)


def make(
    conditioners: Mapping[str, Conditioner],
    values: Mapping[str, Sequence[Any]],
    avoided: Mapping[str, Sequence[Any]],
    *,
    apart: bool,
) -> Condition | None:
    """Make the condition of a batch.

    Parameters
    ----------
    values, avoided
        What is asked for and what is to be avoided, by condition; those not named are unconditional.
    apart
        Whether it carries what each condition asks for alone.

    Returns
    -------
    Condition or None
        `None` when nothing is named.

    Raises
    ------
    UsageError
        When there is no condition of a name.
    """
    for name in (*values, *avoided):
        if name not in conditioners:
            raise UsageError(unknown("condition", name, conditioners))
    if not values and not avoided:
        return None
    nothing = [None] * len(next(iter((values or avoided).values())))
    parts = {name: conditioner(values.get(name, nothing)) for name, conditioner in conditioners.items()}
    cond = add(list(parts.values()))
    assert cond is not None, "values without conditioners"
    alone = {name: _only(name, parts) for name in values} if apart else {}
    return replace(cond, alone=alone, avoided=make(conditioners, avoided, {}, apart=False))


def _only(name: str, parts: Mapping[str, Condition]) -> Condition:
    """Give what one condition asks for, of the shapes of all together."""
    cond = add([part if other == name else part.null() for other, part in parts.items()])
    assert cond is not None, "nothing to be alone"
    return cond


def prompted(conditioners: Mapping[str, Conditioner]) -> str:
    """Name the condition that takes prompts.

    Raises
    ------
    UsageError
        When there is none, or more than one.
    """
    names = [name for name, conditioner in conditioners.items() if conditioner.takes_prompts]
    if not names:
        asked = f"its conditions are {', '.join(conditioners)}" if conditioners else "it was trained without conditions"
        raise UsageError(f"the model takes no prompt: {asked}")
    if len(names) > 1:
        raise UsageError(f"the model takes prompts as {' and as '.join(names)}: say which, as in {names[0]}=TEXT")
    return names[0]


@dataclass(frozen=True, slots=True)
class Assigned:
    """What one condition is, for a set of samples of any size.

    Attributes
    ----------
    texts, values
        As the user says it and as the conditioner takes it; sample i has the (i mod n)-th of the n.
    unread
        What the conditioner leaves out of each text; empty where it takes all of it.
    """

    texts: Sequence[str]
    values: Sequence[Any]
    unread: Sequence[str]

    def text(self, index: int) -> str:
        """Say what sample `index` is conditioned on."""
        return self.texts[index % len(self.texts)]

    def value(self, index: int) -> Any:
        """Give the conditioner's value of sample `index`."""
        return self.values[index % len(self.values)]


def assign(conditioners: Mapping[str, Conditioner], wishes: Mapping[str, Wish]) -> dict[str, Assigned]:
    """Read what the user asks for of each condition.

    A conditioner may take a list ("0,1,2"), whose values the samples take in turn, and one with classes "all".

    Raises
    ------
    UsageError
        When the model has no such condition, or the condition no such value.
    """
    assigned = {}
    for name, wish in wishes.items():
        if not conditioners:
            raise UsageError(f"the model has no condition '{name}': it was trained without any")
        if name not in conditioners:
            raise UsageError(unknown("condition", name, conditioners))
        texts = [text for part in _parts(wish) for text in conditioners[name].split(part)]
        if not texts:
            raise UsageError(f"condition '{name}' is given no value")
        conditioner = conditioners[name]
        assigned[name] = Assigned(
            texts, [conditioner.parse(text) for text in texts], [conditioner.unread(text) for text in texts]
        )
    return assigned


def _parts(wish: Wish) -> list[str]:
    return [str(wish)] if isinstance(wish, str | int | float) else [str(part) for part in wish]

"""What the options of conditions owe to the data: classes, means, ..."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from polydiff.data.source import Source
from polydiff.errors import DataError
from polydiff.plugins.host import host
from polydiff.plugins.specs import ConditionerSpec
from polydiff.recipe.component import Component

K = TypeVar("K", bound=Component)


def complete_conditions(conditions: Mapping[str, K], source: Source) -> dict[str, K]:
    """Fill in what the recipe leaves open.

    Raises
    ------
    RecipeError
        When the data are not what the options say.
    """
    complete = {}
    for name, condition in conditions.items():
        conditioner = host().load(host().find(ConditionerSpec, condition.name))
        try:
            options = conditioner.options_from(source, name, condition.options)
        except DataError as error:
            raise condition.error(str(error)) from error
        complete[name] = condition.with_options(options)
    return complete

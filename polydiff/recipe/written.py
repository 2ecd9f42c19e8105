"""Components on a command line: `--grid karras`, `--grid '{name: karras, rho: 5}'`, `--guidance 2`, `--guidance
caption=4,label=1.5`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from polydiff.errors import RecipeError, UsageError
from polydiff.recipe.component import Component
from polydiff.recipe.yaml import parse


def read_component(text: str, option: str) -> Component:
    """Read a name or a mapping with a name, as a recipe has it.

    Parameters
    ----------
    option
        Of the command line, for the error.

    Raises
    ------
    UsageError
        When it is something else, or not YAML.
    """
    try:
        data, _ = parse(text, lambda _: option)
    except RecipeError as error:
        raise UsageError(str(error)) from error
    if isinstance(data, str):
        return Component(data)
    if isinstance(data, dict) and isinstance(name := data.get("name"), str):
        return Component(name, {key: value for key, value in data.items() if key != "name"})
    raise UsageError(f"{option} takes NAME or '{{name: NAME, option: value}}', not {text!r}")


def read_guidance(texts: Sequence[str], option: str) -> float | dict[str, float] | list[Component] | None:
    """Read what an option that can be repeated says of guidance.

    Nothing is `None`, "none" no guidance at all, one number alone the scale of classifier-free guidance, and
    "caption=4,label=1.5" alone one for each of several conditions. Anything else is a chain of components, innermost
    first; in it a number stands for `cfg` with that scale.

    Parameters
    ----------
    option
        Of the command line, for the error.

    Raises
    ------
    UsageError
        When it is none of that.
    """
    if not texts:
        return None
    if list(texts) == ["none"]:
        return []
    if len(texts) == 1 and "=" in texts[0] and not texts[0].lstrip().startswith("{"):
        return _scales(texts[0], option)
    read = [_number(text, option) for text in texts]
    if len(read) == 1 and isinstance(read[0], float):
        return read[0]
    return [Component("cfg", {"scale": each}) if isinstance(each, float) else each for each in read]


def _scales(text: str, option: str) -> dict[str, float]:
    """Read "caption=4,label=1.5"."""
    scales: dict[str, float] = {}
    for part in text.split(","):
        name, _, scale = (word.strip() for word in part.rpartition("="))
        try:
            number = float(scale)
        except ValueError:
            number = math.nan
        if not name or name in scales or not math.isfinite(number):
            raise UsageError(f"{option} takes CONDITION=SCALE for each condition, 'caption=4,label=1.5', not {text!r}")
        scales[name] = number
    return scales


def _number(text: str, option: str) -> float | Component:
    try:
        return float(text)
    except ValueError:
        return read_component(text, option)

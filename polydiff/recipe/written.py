"""Components on a command line: `--grid karras`, `--grid '{name: karras, rho: 5}'`."""

from __future__ import annotations

from polydiff.errors import UsageError
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
        When it is something else.
    RecipeError
        When it is not YAML.
    """
    data, _ = parse(text, lambda _: option)
    match data:
        case str():
            return Component(data)
        case {"name": str(name), **options}:
            return Component(name, options)
    raise UsageError(f"{option} takes NAME or '{{name: NAME, option: value}}', not {text!r}")

"""The options that a component takes: the signature of what it names."""

from __future__ import annotations

import collections.abc
import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_origin, get_type_hints

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic_core import to_json

from polydiff.core.denoiser import Denoiser
from polydiff.core.schedule import Schedule
from polydiff.data.codec import Codec
from polydiff.data.shards import Shards
from polydiff.errors import PluginError
from polydiff.nn.autoencoder import Autoencoder
from polydiff.recipe.component import Component
from polydiff.recipe.problems import first_problem, unknown_here

_WRITTEN: Mapping[Any, Any] = {
    Schedule: Component,
    Codec: Component,
    Autoencoder: Component,
    Denoiser: Path,
    Shards: str | list[str],
}
"""How a recipe writes what is an object to the target."""


@dataclass(frozen=True)
class Options:
    """What a recipe can say to a target.

    Attributes
    ----------
    types
        By name; a `Schedule`, `Codec` or `Autoencoder` is named as a component, a `Denoiser` as a model folder,
        `Shards` by their patterns.
    defaults
        Of those that can be left out.
    engine
        Names that the engine alone sets.
    """

    types: Mapping[str, Any]
    defaults: Mapping[str, Any]
    engine: Collection[str]

    @classmethod
    def of(cls, target: Callable[..., Any], engine: Collection[str]) -> Options:
        """Read a signature.

        Raises
        ------
        PluginError
            When an option has no type, or one that is there for type checkers alone.
        """
        parameters = {
            p.name: p
            for p in inspect.signature(target).parameters.values()
            if p.kind in {p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY} and p.name not in engine
        }
        untyped = [name for name, p in parameters.items() if p.annotation is p.empty]
        named = f"{target.__module__}:{target.__qualname__}"
        if untyped:
            raise PluginError(f"{named}: the option '{untyped[0]}' has no type")
        # Only the options' own hints are evaluated: those of the engine's arguments may be for type checkers alone.
        hints = SimpleNamespace(__annotations__={name: p.annotation for name, p in parameters.items()})
        function = target.__init__ if inspect.isclass(target) else target
        namespace = getattr(inspect.unwrap(function), "__globals__", {})
        try:
            types = get_type_hints(hints, globalns=namespace, include_extras=True)
        except NameError as error:
            raise PluginError(f"{named}: the type of an option cannot be told: {error}") from error
        defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
        return cls(types, defaults, engine)

    def check(self, component: Component) -> dict[str, Any]:
        """Give the values of a component's options, each of its type.

        As everywhere in a recipe nothing is guessed: 1 passes for 1.0, but not 1.0 for 1 nor "1" for 1. Lists become
        tuples, texts become paths ("~" is the home folder) or shards and components stay components.

        Raises
        ------
        RecipeError, UsageError
            For an option that is unknown, missing, of another type or the engine's own.
        """
        for name in component.options:
            if name in self.engine:
                raise component.error("the engine sets this itself; leave it out", name)
            if name not in self.types:
                known = {*self.types, *component.own_keys()} - {"name"}
                raise component.error(unknown_here("option", name, known), name)
        for name, hint in self.types.items():
            if get_origin(hint) is collections.abc.Callable:
                raise component.error("a function, which no recipe can give; call polydiff.guidance in Python", name)
            if name not in component.options and name not in self.defaults:
                raise component.error("missing", name)
        return {name: self._value(component, name) for name in component.options}

    def _value(self, component: Component, name: str) -> Any:
        hint = _WRITTEN.get(self.types[name], self.types[name])
        given = component.options[name]
        try:
            value = TypeAdapter(hint).validate_json(to_json(given, inf_nan_mode="constants"), strict=True)
        except ValidationError as error:
            raise first_problem(
                error, given, lambda _: (), lambda path, message: component.error(message, name, *path)
            ) from error
        except PydanticSchemaGenerationError as error:
            message = f"the option's type, {hint}, is none that a recipe can give"
            raise PluginError(str(component.error(message, name))) from error
        if isinstance(value, Component) and component.origin:
            return Component(value.name, value.options, origin=component.origin.at(name))
        if self.types[name] is Shards:
            return Shards((value,) if isinstance(value, str) else tuple(value))
        return _at_home(value)


def _at_home(value: Any) -> Any:
    """Replace the "~" of paths."""
    match value:
        case Path():
            return value.expanduser()
        case list() | tuple():
            return type(value)(map(_at_home, value))
    return value


def plain(value: Any) -> Any:
    """Give an option's value as a recipe writes it; a path in full, so that it means the same from any folder."""
    match value:
        case Path():
            return str(value.absolute())
        case Shards():
            return value.in_full()
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return value

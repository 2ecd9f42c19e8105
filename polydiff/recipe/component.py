"""Components: what a recipe names and a plugin provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Annotated, Any, Self, get_type_hints

from pydantic import Field, GetCoreSchemaHandler, ValidatorFunctionWrapHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from polydiff.errors import RecipeError, UsageError
from polydiff.recipe.origin import Origin


@dataclass(frozen=True)
class Component:
    """A registered name and its options, as plain data; in YAML `{name: NAME, option: value, ...}` or only `NAME`.

    Attributes
    ----------
    name
        As registered.
    options
        Whatever else the mapping holds; judged when the component is built.
    origin
        Where it was written; `None` when it was made in Python. No part of equality.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    origin: Origin | None = field(default=None, compare=False, repr=False, kw_only=True)

    @classmethod
    def own_keys(cls) -> tuple[str, ...]:
        """Name the keys of the flat mapping that are no options."""
        return tuple(f.name for f in fields(cls) if f.name not in {"options", "origin"})

    def flat(self) -> dict[str, Any]:
        """Give the mapping that stands for it in YAML."""
        return {key: getattr(self, key) for key in self.own_keys()} | self.options

    def with_options(self, options: Mapping[str, Any]) -> Self:
        """Give the same component with other options."""
        return replace(self, options=dict(options))

    def error(self, message: str, *keys: str | int) -> RecipeError | UsageError:
        """Make the error that names this place, or one of its keys; a UsageError when no recipe holds it.

        A message on the name says it itself.
        """
        if self.origin is not None:
            return self.origin.at(*keys).error(message)
        if keys == ("name",):
            return UsageError(message)
        return UsageError(f"{'.'.join(map(str, (self.name, *keys)))}: {message}")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take a name, a flat mapping or a component."""
        hints = get_type_hints(cls, include_extras=True)
        own = {f.name: f for f in fields(cls) if f.name in cls.own_keys()}
        flat = core_schema.typed_dict_schema(
            {
                key: core_schema.typed_dict_field(handler.generate_schema(hints[key]), required=f.default is MISSING)
                for key, f in own.items()
            },
            extra_behavior="allow",
            config=core_schema.CoreConfig(strict=True, allow_inf_nan=False),
        )

        def take(value: Any, handler: ValidatorFunctionWrapHandler) -> Component:
            if isinstance(value, cls):
                return value
            if not isinstance(value, str | dict):
                raise PydanticCustomError("component", "a name or a mapping with a name")
            entries = handler({"name": value} if isinstance(value, str) else value)
            given = {key: entries.pop(key) for key in own if key in entries}
            return cls(**given, options=entries)

        return core_schema.no_info_wrap_validator_function(
            take, flat, serialization=core_schema.plain_serializer_function_ser_schema(cls.flat)
        )


@dataclass(frozen=True)
class ConditionConfig(Component):
    """A conditioner.

    Attributes
    ----------
    dropout
        The share of training samples that are shown without this condition, which classifier-free guidance needs.
    """

    dropout: Annotated[float, Field(ge=0, le=1)] = 0.1


@dataclass(frozen=True)
class WeightedLoss(Component):
    """A term of a loss.

    Attributes
    ----------
    weight
        By which it is multiplied.
    """

    weight: Annotated[float, Field(gt=0)] = 1.0


@dataclass(frozen=True)
class FurtherSource(Component):
    """A source beside the first.

    Attributes
    ----------
    weight
        How many times as often its items come as those of the first.
    """

    weight: Annotated[float, Field(gt=0)] = 1.0

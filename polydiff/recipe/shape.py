"""Where the schema has what: walking a recipe by its types."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from polydiff.plugins.specs import Spec
from polydiff.recipe.component import Component
from polydiff.recipe.origin import KeyPath
from polydiff.recipe.schema import Config

C = TypeVar("C", bound=Config)


@dataclass(frozen=True)
class Slot:
    """A place in the schema.

    Attributes
    ----------
    type
        A section, a component, `list`, `dict` or a type of value.
    item
        The annotation of the items of a list or dict.
    spec
        The kind of spec that a component names.
    default
        The value when it is left out; `None` also where there is no default.
    """

    type: Any
    item: Any = None
    spec: type[Spec] | None = None
    default: Any = None

    @property
    def is_section(self) -> bool:
        """Whether its keys are those of a `Config`."""
        return isinstance(self.type, type) and issubclass(self.type, Config)

    @property
    def is_component(self) -> bool:
        """Whether it takes a name, or a mapping with a name."""
        return isinstance(self.type, type) and issubclass(self.type, Component)

    def known_keys(self) -> Iterable[str]:
        """Name the keys of a section."""
        return self.type.model_fields if self.is_section else ()

    def at(self, key: str | int) -> Slot | None:
        """Go down by one key; `None` where the schema does not reach."""
        if self.is_section:
            info = self.type.model_fields.get(key)
            return info and slot(info.annotation, info.metadata, info.get_default(call_default_factory=True))
        return slot(self.item) if self.item is not None else None

    def below(self, path: KeyPath) -> Slot | None:
        """Go down a path."""
        here: Slot | None = self
        for key in path:
            here = here and here.at(key)
        return here


def slot(annotation: Any, metadata: Iterable[Any] = (), default: Any = None) -> Slot:
    """Read an annotation."""
    metadata = list(metadata)
    if get_origin(annotation) in {Union, types.UnionType}:
        (annotation,) = (a for a in get_args(annotation) if a is not types.NoneType)
    if get_origin(annotation) is Annotated:
        annotation, *further = get_args(annotation)
        metadata += further
    spec = next((m for m in metadata if isinstance(m, type) and issubclass(m, Spec)), None)
    item = get_args(annotation)[-1] if get_origin(annotation) in {list, dict} else None
    return Slot(get_origin(annotation) or annotation, item, spec, default)


Change = Callable[[Component, KeyPath], Component]


def map_components(config: C, change: Change) -> C:
    """Give `config` with every component replaced by `change(component, its path)`."""
    changed: C = _map(config, (), change)
    return changed


def _map(value: Any, path: KeyPath, change: Change) -> Any:
    match value:
        case Component():
            return change(value, path)
        case Config():
            return value.model_copy(update={key: _map(item, (*path, key), change) for key, item in value})
        case dict():
            return {key: _map(item, (*path, key), change) for key, item in value.items()}
        case list():
            return [_map(item, (*path, i), change) for i, item in enumerate(value)]
    return value

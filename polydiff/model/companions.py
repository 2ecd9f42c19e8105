"""Other models that take part when one generates, such as the weaker one of autoguidance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from torch import Tensor

from polydiff.conditioning.conditioner import Conditioner
from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.errors import ModelError, UsageError
from polydiff.model.conditions import make
from polydiff.plugins.specs import GuidanceSpec
from polydiff.recipe.build import models_named
from polydiff.recipe.component import Component

if TYPE_CHECKING:
    from polydiff.model.model import Model


class Companion(Denoiser):
    """Another model's denoiser, for conditions that tell it under `name` what they ask for."""

    def __init__(self, denoiser: Denoiser, name: str) -> None:
        super().__init__()
        self.schedule = denoiser.schedule
        self.denoiser = denoiser
        self.name = name

    def forward(self, x_t: Tensor, t: Tensor, cond: Condition | None = None) -> Tensor:
        """Give its estimate of x_0."""
        x0: Tensor = self.denoiser(x_t, t, None if cond is None or not cond.asks else cond.others[self.name])
        return x0


class Companions:
    """The models that a model's guidances name, each loaded once."""

    def __init__(self) -> None:
        self._loaded: dict[Path, Model] = {}

    def find(self, path: Path, model: Model) -> Model:
        """Give the model of a folder, where `model` is.

        Raises
        ------
        ModelError, PluginError
            As `polydiff.load` does.
        UsageError
            When it is of other data than `model`, or told of other conditions.
        """
        if path not in self._loaded:
            from polydiff.model.loading import load  # noqa: PLC0415 (it imports `Model`, which has companions)

            try:
                self._loaded[path] = load(path)
            except ModelError as error:
                raise ModelError(f"{error}; the model's guidance asks it, another can be given (--guidance)") from error
            _check(path, self._loaded[path], model)
        return self._loaded[path].to(model.device)

    def tell(
        self,
        cond: Condition,
        values: Mapping[str, Any],
        avoided: Mapping[str, Any],
        guidance: Iterable[Component],
        model: Model,
    ) -> Condition:
        """Add to a condition what the models that take part are told of the same values."""
        others = {}
        for component in guidance:
            for path in models_named(GuidanceSpec, component):
                conditioners = cast(Mapping[str, Conditioner], self.find(path, model).conditioners)
                other = make(conditioners, values, avoided, apart=bool(cond.alone))
                assert other is not None, "a condition of nothing"
                others[str(path)] = other
        return _told(cond, others)


def _told(cond: Condition, others: Mapping[str, Condition]) -> Condition:
    """Add to a condition, and to those that it carries, what others are told."""
    alone = {
        name: _told(each, {other: told.alone[name] for other, told in others.items()})
        for name, each in cond.alone.items()
    }
    avoided = cond.avoided and _told(
        cond.avoided, {other: told.avoided for other, told in others.items() if told.avoided}
    )
    return replace(cond, others=others, alone=alone, avoided=avoided)


def _check(path: Path, other: Model, model: Model) -> None:
    """Refuse another model whose tensors or values mean something else."""
    ours, theirs = model.config, other.config
    if (ours.modality, ours.codec) != (theirs.modality, theirs.codec):
        raise UsageError(
            f"{path} is a model of other data: its codec is {theirs.codec.flat()}, not {ours.codec.flat()}"
        )
    for name in {**ours.conditions, **theirs.conditions}:
        one, another = (_meaning(config.conditions.get(name)) for config in (ours, theirs))
        if one != another:
            raise UsageError(f"{path} is told of '{name}' in another way than the model: {another}, not {one}")


def _meaning(condition: Component | None) -> str:
    """Say what the values of a condition are; widths and the like do not matter."""
    if condition is None:
        return "not at all"
    sizes = {name: condition.options[name] for name in ("classes", "size") if name in condition.options}
    return f"{condition.name} {sizes}"

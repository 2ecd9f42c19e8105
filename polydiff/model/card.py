"""The model card: what a model folder says of itself to a reader."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polydiff.recipe.component import Component
from polydiff.recipe.dump import dump
from polydiff.recipe.schema import AnyRecipe, DataConfig, DistillConfig, DistilledConfig, ModelConfig, Recipe


def card(config: ModelConfig, figures: Mapping[str, float]) -> str:
    """Write the README.md of a model folder.

    Parameters
    ----------
    config
        The model's; a whole `Recipe` where the model comes from training, which is then told.
    figures
        What validation measured, by name; may be empty.
    """
    if isinstance(config, Recipe):
        config = config.model_copy(update={"data": without_folders(config.data), "distill": _without_folder(config)})
    parts = [
        f"# {config.modality.capitalize()} diffusion model",
        f"Made with polydiff; to use it takes polydiff and the plugin of the modality `{config.modality}`. Its weights "
        "are in `weights.safetensors`; nothing here is a pickle.",
        trained_on(config) if isinstance(config, Recipe) else "",
        _distilled(config.distilled) if config.distilled else "",
        _conditions(config),
        _usage(config),
        figures_table(figures),
        f"## Recipe\n\n```yaml\n{dump(config).rstrip()}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def without_folders(data: DataConfig) -> DataConfig:
    """Cut paths to their last name: a card goes to people whom the trainer's folders do not concern."""

    def shorten(component: Component | None) -> Component | None:
        return component and component.with_options({key: name_of(value) for key, value in component.options.items()})

    def name_of(value: Any) -> Any:
        if isinstance(value, list):
            return [name_of(each) for each in value]
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    return data.model_copy(update={"source": shorten(data.source), "validation": shorten(data.validation)})


def _without_folder(recipe: Recipe) -> DistillConfig | None:
    """Leave the folder of a teacher away: its weights' digest says which model it is."""
    return recipe.distill and recipe.distill.model_copy(update={"teacher": Path(recipe.distill.teacher).name})


def _distilled(made: DistilledConfig) -> str:
    low, high = made.scales
    guidance = f"{low:g}" if low == high else f"{low:g} to {high:g}, as it is told"
    losses = ["" if rung.loss is None else f"{rung.loss:.4g}" for rung in made.rungs]
    rows = [
        f"| `{rung.method}` | {rung.steps} | {loss} | `{rung.teacher[:12]}` |"
        for rung, loss in zip(made.rungs, losses, strict=True)
    ]
    return "\n".join(
        [
            f"## Distilled\n\nFrom a larger number of steps, with guidance of {guidance} built in.\n",
            "| method | steps | validation loss | SHA-256 of the teacher's weights |",
            "|---|---|---|---|",
            *rows,
        ]
    )


def trained_on(recipe: AnyRecipe) -> str:
    """Tell of the training."""
    data, train = recipe.data, recipe.train
    judged = (
        f"{data.holdout:.0%} of it held out" if data.validation is None else f"{_component(data.validation)} held out"
    )
    return (
        f"## Trained on\n\nThe source {_component(data.source)}, with {judged}, for at most {train.steps:,} steps of "
        f"{train.batch} examples, seed {train.seed}. The weights are their moving average (decay {train.ema.decay:g})."
    )


def _component(component: Component) -> str:
    options = ", ".join(f"{key} {value}" for key, value in component.options.items())
    return f"`{component.name}`" + (f" ({options})" if options else "")


def _conditions(config: ModelConfig) -> str:
    if not config.conditions:
        return "## Conditions\n\nNone: the model is unconditional."
    lines = [f"- `{name}`: {_component(condition)}" for name, condition in config.conditions.items()]
    return "\n".join(["## Conditions\n", *lines])


def _usage(config: ModelConfig) -> str:
    option = argument = ""
    if prompt := next((name for name, each in config.conditions.items() if each.name.startswith("text")), None):
        option, argument = ' --prompt "..."', f', {prompt}="..."'
    elif "label" in config.conditions:
        option, argument = " --label all", ', label="all"'
    command = f"polydiff generate . -n 16{option} --seed 0 --out out/"
    code = f'import polydiff\n\nmodel = polydiff.load(".")\ncontents = model.generate(16{argument}, seed=0)'
    return (
        f"## Use\n\nFrom the command line, in this folder:\n\n```\n{command}\n```\n\n"
        f"In Python:\n\n```python\n{code}\n```"
    )


def figures_table(figures: Mapping[str, float]) -> str:
    """Write what validation measured."""
    if not figures:
        return ""
    rows = [f"| {name} | {value:.4g} |" for name, value in figures.items()]
    return "\n".join(["## Validation\n", "| figure | value |", "|---|---|", *rows])

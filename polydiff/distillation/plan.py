"""From a request to rungs: which students there will be, and the recipe of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from polydiff.distillation.distillation import Distillation, Rung
from polydiff.distillation.match import Match
from polydiff.distillation.request import Request
from polydiff.errors import UsageError
from polydiff.model import folder as model_folder
from polydiff.model import load
from polydiff.model.conditions import total_dims
from polydiff.model.distilled import SCALE, scale_of
from polydiff.model.model import Model
from polydiff.model.settings import chain
from polydiff.plugins.host import host
from polydiff.plugins.specs import BackboneSpec, DistillationSpec, GuidanceSpec, WeightingSpec
from polydiff.recipe.build import build, build_times, complete, resolve
from polydiff.recipe.component import Component
from polydiff.recipe.load import check, load_recipe, read
from polydiff.recipe.overrides import apply
from polydiff.recipe.schema import Recipe, SampleConfig
from polydiff.recipe.written import read_component
from polydiff.training.teacher import Teacher

WIDTH = 128
"""Of the vector of the scale, for models without any other vector."""

LESSON = {
    "train.optimizer.decay": "linear",
    "train.checkpoint.best": False,
    "train.validation.patience": None,
}
"""How students train unlike their teacher: the rate goes to zero, and the end counts."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A ladder, made out.

    Attributes
    ----------
    teacher
        The model that all begins with, in evaluation mode.
    sample
        How it is sampled for students to learn from: deterministically, at all times of the first rung.
    rungs
        From the most steps to the fewest.
    """

    request: Request
    teacher: Model
    recipe: Recipe
    sample: SampleConfig
    scales: tuple[float, float] | None
    rungs: tuple[Rung, ...]

    def recipe_of(self, place: int, teacher: Path, max_minutes: float | None) -> Recipe:
        """Give the recipe of a rung, from 0, that learns from the model folder `teacher`.

        Raises
        ------
        RecipeError, UsageError
            When an override is none that can be made.
        """
        rung, first = self.rungs[place], place == 0
        weights = model_folder.verify(teacher)[model_folder.WEIGHTS]
        before = model_folder.read_config(teacher).distilled
        record = {"method": rung.method.name, "teacher": weights, "steps": rung.steps}
        guidance = [each.flat() for each in self.sample.guidance]
        scale = scale_of(self.sample.guidance)
        ours = {**LESSON, **self._training(max_minutes), **self._structure()}
        identity = {
            "sample": {
                "sampler": rung.samplers[0],
                "steps": rung.steps,
                "grid": {"name": "t"} if rung.any_times else {"name": "times", "times": list(rung.times)},
                "guidance": guidance,
            },
            "distilled": {
                "samplers": list(rung.samplers),
                "times": "any" if rung.any_times else "own",
                "scales": list(self.scales or (scale, scale)),
                "rungs": [*([] if before is None else before.model_dump()["rungs"]), record],
            },
            "flow_map": rung.flow_map,
            "distill": {
                "teacher": str(teacher.resolve()),
                "weights": weights,
                "method": rung.method.flat(),
                "guidance": guidance if first and before is None else [],
                "scales": self.scales and list(self.scales),
            },
        }
        overrides = [*_said(ours), *self.request.overrides_of_training, *_said(identity)]
        return _recipe(self.request.folder, overrides)

    def _training(self, max_minutes: float | None) -> dict[str, Any]:
        train = self.recipe.train
        steps = self.request.rung_steps or max(1, train.steps // 2)
        return {
            "train.steps": steps,
            "train.max_minutes": max_minutes,
            "train.optimizer.lr": train.optimizer.lr / 2,
            "train.optimizer.muon": train.optimizer.muon and train.optimizer.muon / 2,
            "train.optimizer.warmup": min(train.optimizer.warmup, steps // 20),
            "train.validation.every": steps,
            "train.preview.every": steps,
        }

    def _structure(self) -> dict[str, Any]:
        """Say what a student is otherwise than its teacher."""
        changes: dict[str, Any] = {}
        if self.recipe.prediction.name == "eps":
            changes["prediction"] = "v"
        if self.scales is not None:
            low, high = self.scales
            width = total_dims(self.teacher.config, dict(self.teacher.conditioners.items())).vector or WIDTH  # type: ignore[arg-type]
            condition = {"name": "guidance-scale", "dropout": 0.0, "low": low, "high": high, "width": width}
            changes[f"conditions.{SCALE}"] = condition
        return changes


def plan(request: Request) -> Plan:
    """Make a ladder out.

    Raises
    ------
    UsageError
        When there is no way from the model to so many steps, or no data to go it on.
    ModelError, RecipeError, PluginError
        As loading the model and reading its recipe do.
    """
    chosen = read_component(request.method, "--method")
    method: type[Distillation] = host().load(host().find(DistillationSpec, chosen.name))
    teacher = load(request.folder)
    _check_walked(teacher)
    recipe = resolve(_recipe(request.folder, request.overrides))
    sample = teacher.config.sample if teacher.config.distilled else recipe.sample
    scales = _scales(request, teacher)
    guidance = _guidance(request, sample, scales)
    steps = _matched(request, teacher, sample.steps) if method is Match else _start(request, teacher, sample.steps)
    times = build_times(sample.grid, teacher.denoiser.schedule, steps).tolist()
    rungs = [_with_options(rung, chosen) for rung in method.plan(times, request.steps)]
    if method is not Match and _begins_anew(teacher, recipe, scales):
        rungs = [*Match.plan(times, steps), *rungs]
    _check_built(rungs, teacher, recipe, [] if teacher.config.distilled else guidance, scales)
    update = {"steps": steps, "guidance": guidance, "sampler": Component("ddim")}
    return Plan(request, teacher, recipe, sample.model_copy(update=update), scales, tuple(rungs))


def _with_options(rung: Rung, chosen: Component) -> Rung:
    """Add the options that are asked for to a rung's own."""
    for name in chosen.options:
        if name in rung.method.options:
            raise UsageError(f"--method: '{name}' of {chosen.name} follows from --steps and --from; leave it away")
    options = {**rung.method.options, **chosen.options}
    return replace(rung, method=complete(DistillationSpec, rung.method.with_options(options)))


def _check_built(
    rungs: Sequence[Rung],
    model: Model,
    recipe: Recipe,
    guidance: Sequence[Component],
    scales: tuple[float, float] | None,
) -> None:
    """Build every rung's loss once, so that what one refuses is refused before any data are read."""
    teacher = Teacher(model, guidance, scales)
    weighting = build(WeightingSpec, recipe.objective.weighting)
    for rung in rungs:
        build(DistillationSpec, rung.method, teacher=teacher, weighting=weighting, positions=1)


def _check_walked(teacher: Model) -> None:
    """Refuse a teacher whose estimates do not lead along a trajectory step by step."""
    distilled = teacher.config.distilled
    if distilled is not None and "ddim" not in distilled.samplers:
        made = " and ".join(distilled.samplers)
        raise UsageError(f"the model is a student made for {made}, whose steps teach no other: distil from its teacher")


def _recipe(folder: Path, overrides: Sequence[str]) -> Recipe:
    """Read what a model was trained by; a model folder alone says what it is, and the overrides all else."""
    path = next((each for each in (folder, folder.parent) if (each / "recipe.yaml").is_file()), None)
    if path is not None and model_folder.find(folder) in {folder, path / "model"}:
        recipe = load_recipe(path / "recipe.yaml", overrides)
        if not isinstance(recipe, Recipe):
            raise UsageError(f"{path / 'recipe.yaml'} is the recipe of a codec, which nothing can be distilled from")
        return recipe
    if not any(each.startswith("data.") for each in overrides):
        raise UsageError(f"{folder} has no recipe that says what it learnt from: give a run folder, or data.source=")
    data, locations = read(model_folder.find(folder) / model_folder.CONFIG)
    del data["format"]
    data["train"] = {"steps": 2000, "batch": 32}
    return check(Recipe, data, apply(data, locations, overrides, Recipe))


def _scales(request: Request, teacher: Model) -> tuple[float, float] | None:
    """Give the range of guidance that students are told, `None` where they are told nothing."""
    if teacher.config.distilled is not None:
        if request.guidance is not None:
            raise UsageError("the model is a student whose guidance is built in already: leave --guidance away")
        return teacher.config.distilled.scales if SCALE in teacher.conditioners else None
    if request.guidance is not None and not teacher.conditioners:
        raise UsageError("--guidance is for models with conditions, and this one has none")
    if not isinstance(request.guidance, tuple):
        return None
    if SCALE in teacher.conditioners:
        raise UsageError(f"the model has a condition '{SCALE}' of its own, by which a student would be told its scale")
    return request.guidance


def _guidance(request: Request, sample: SampleConfig, scales: tuple[float, float] | None) -> list[Component]:
    """Give the guidance that is built in, at the scale that students are sampled with unless told otherwise: the
    recipe's, or the nearest that they know.
    """
    if request.guidance is None:
        return sample.guidance
    scale = scale_of(sample.guidance)
    if isinstance(request.guidance, int | float):
        scale = float(request.guidance)
    elif scales is not None:
        scale = min(max(scale, scales[0]), scales[1])
    return [complete(GuidanceSpec, each) for each in chain(sample.guidance, scale)]


def _matched(request: Request, teacher: Model, usual: int) -> int:
    """Give the steps of teacher and student alike."""
    if request.start not in {None, request.steps}:
        raise UsageError(f"'match' changes no number of steps: leave --from {request.start} away")
    distilled = teacher.config.distilled
    if distilled is not None and distilled.times == "own" and request.steps != usual:
        raise UsageError(f"the model is a student of {usual} steps, and 'match' changes no number of them")
    return request.steps


def _start(request: Request, teacher: Model, usual: int) -> int:
    """Give the steps of the first teacher: by default the fewest, no fewer than usual, that halving leads down from."""
    if teacher.config.distilled is not None and teacher.config.distilled.times == "own":
        if request.start not in {None, usual}:
            raise UsageError(f"the model is a student of {usual} steps: leave --from {request.start} away")
        return usual
    if request.start is not None:
        return request.start
    steps = request.steps
    while steps < max(usual, 2 * request.steps):
        steps *= 2
    return steps


def _begins_anew(teacher: Model, recipe: Recipe, scales: tuple[float, float] | None) -> bool:
    """Tell whether the first student cannot begin as its teacher is: something is to be learnt first."""
    config = teacher.config
    backbone = complete(BackboneSpec, config.backbone, modality=config.modality)
    tells = scales is not None and SCALE not in teacher.conditioners
    return (
        tells
        or recipe.backbone != backbone
        or recipe.prediction != config.prediction
        or recipe.prediction.name == "eps"
    )


def _said(values: dict[str, Any]) -> list[str]:
    """Write values as overrides."""
    return [f"{key}={json.dumps(value)}" for key, value in values.items()]

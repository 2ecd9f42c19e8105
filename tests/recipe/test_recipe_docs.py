"""docs/recipes.md is held to what the code says."""

import json
import re
from pathlib import Path

import pytest

from polydiff.core.prediction import PREDICTIONS
from polydiff.plugins.host import Host
from polydiff.plugins.specs import (
    CodecSpec,
    ConditionerSpec,
    DistillationSpec,
    EncoderSpec,
    GuidanceSpec,
    ReconstructionSpec,
    SamplerSpec,
    ScheduleSpec,
    TimesSpec,
    WeightingSpec,
)
from polydiff.recipe.build import ENGINE, ENGINE_GRID
from polydiff.recipe.options import Options, plain
from polydiff.recipe.schema import CodecRecipe, PairRecipe, Recipe
from polydiff.recipe.shape import slot
from polydiff.sampling.grid import GRIDS

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "recipes.md").read_text(encoding="utf-8")
LATENTS = (DOCS / "latents.md").read_text(encoding="utf-8")
EMBEDDINGS = (DOCS / "embeddings.md").read_text(encoding="utf-8")
KINDS = (
    CodecSpec,
    ReconstructionSpec,
    ScheduleSpec,
    SamplerSpec,
    GuidanceSpec,
    ConditionerSpec,
    EncoderSpec,
    TimesSpec,
    WeightingSpec,
    DistillationSpec,
)


def rows(columns, page=PAGE):
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| ")]
    return [line for line in lines if len(line) == columns]


def keys(place, path=()):
    for key in place.known_keys():
        below = place.at(key)
        if below.is_section:
            yield from keys(below, (*path, key))
        else:
            default = place.type.model_fields[key].get_default(call_default_factory=True)
            required = place.type.model_fields[key].is_required()
            yield ".".join((*path, key)), "required" if required else f"`{said(default)}`"


def said(default):
    if hasattr(default, "flat"):
        return default.name
    if isinstance(default, list) and default and hasattr(default[0], "flat"):
        return f"[{', '.join(each.name for each in default)}]"
    return default if isinstance(default, str) else json.dumps(plain(default))


def test_page_has_every_key_with_its_default():
    documented = {key.strip("`"): default for key, _, default, _ in rows(4) if key != "key"}
    assert documented.pop("conditions.NAME.dropout") == "`0.1`"
    assert documented == dict(keys(slot(Recipe)))


@pytest.mark.parametrize(("page", "schema"), [(LATENTS, CodecRecipe), (EMBEDDINGS, PairRecipe)])
def test_a_page_has_every_key_that_other_recipes_do_not_have_or_have_otherwise(page, schema):
    documented = {key.strip("`"): default for key, _, default, _ in rows(4, page) if key != "key"}
    documented.pop("train.batch", None)  # required in all, of another range
    of_models = dict(keys(slot(Recipe)))
    special = dict(keys(slot(schema)))
    assert documented == {key: default for key, default in special.items() if of_models.get(key) != default}


def components():
    host = Host()
    for kind in KINDS:
        for entry in host.all(kind):
            if not entry.spec.target.startswith("polydiff."):
                continue  # a plugin's, whose own documentation has it
            yield kind.kind, entry.spec.name, host.load(entry.spec), ENGINE.get(kind, ())
    for name, target in PREDICTIONS.items():
        yield "prediction", name, target, ()
    for name, target in GRIDS.items():
        yield "time grid", name, target, ENGINE_GRID


def test_page_names_every_component_of_the_engine():
    documented = {(kind, name.strip("`")) for kind, name, _ in rows(3) if kind != "kind"}
    assert documented == {(kind, name) for kind, name, *_ in components()}


def test_page_has_every_option_with_its_default():
    described = {(kind, name.strip("`")): text for kind, name, text in rows(3)}
    for kind, name, target, engine in components():
        options = Options.of(target, engine)
        defaults = {option: json.dumps(plain(value)) for option, value in options.defaults.items()}
        documented = re.findall(r"`(\w+)`(?: \(([^()]*)\))?", described[kind, name])
        assert documented == [(option, defaults.get(option, "")) for option in options.types], (kind, name)

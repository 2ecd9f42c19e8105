from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from polydiff.core.prediction import Preconditioned
from polydiff.core.schedule import Flow, Schedule, Shifted
from polydiff.errors import DataError, PluginError, RecipeError, UsageError
from polydiff.plugins import host as installed
from polydiff.plugins.hookspecs import hookimpl
from polydiff.plugins.host import Host
from polydiff.plugins.specs import CodecSpec, GuidanceSpec, SamplerSpec, ScheduleSpec, SourceSpec
from polydiff.recipe import build as module
from polydiff.recipe.build import build, build_prediction, resolve
from polydiff.recipe.component import Component
from polydiff.recipe.dump import dump
from polydiff.recipe.load import load_recipe

if TYPE_CHECKING:
    from nowhere import Denoiser


class Taker:
    """Takes one option of each kind, and keeps them."""

    def __init__(
        self,
        *,
        whole: int = 1,
        real: float = 0.5,
        flag: bool = False,
        text: str = "t",
        choice: Literal["left", "right"] = "left",
        sizes: tuple[int, ...] = (1, 2),
        either: int | list[int] = 3,
        path: Path | None = None,
        paths: tuple[Path, ...] = (),
        table: dict[str, float] | None = None,
    ) -> None:
        self.given = {key: value for key, value in locals().items() if key != "self"}


class Child(Taker):
    """Has the options of its parent."""


def needs(*, one: int, other: str = "o"):
    return one, other


def refuses(*, reason: str):
    raise {"range": UsageError, "data": DataError, "bug": ValueError}[reason](f"refused: {reason}")


def guide(denoiser: Denoiser, *, scale: float, extra: Any = None):
    return denoiser, scale, extra


def nested(*, base: Schedule, scale: float = 2.0):
    return base, scale


def grid(*, path: Path, size: int = 4):
    return path, size


def untyped(*, width=3):
    return width


def unknowable(*, width: Denoiser | None = None):
    return width


def strange(*, function: Flow | None = None):
    return function


class Plugin:
    @hookimpl
    def polydiff_samplers(self):
        for target in (Taker, Child, needs, refuses, untyped, unknowable, strange):
            yield SamplerSpec(target.__name__.lower(), f"{__name__}:{target.__name__}")
        yield SamplerSpec("gone", "polydiff.gone:Gone")

    @hookimpl
    def polydiff_guidances(self):
        yield GuidanceSpec("guide", f"{__name__}:guide")

    @hookimpl
    def polydiff_sources(self):
        yield SourceSpec("grid", f"{__name__}:grid", modality="toy")

    @hookimpl
    def polydiff_schedules(self):
        yield ScheduleSpec("nested", f"{__name__}:nested")


@pytest.fixture(autouse=True)
def plugin(monkeypatch):
    host = Host()
    host.register(Plugin(), "test")
    monkeypatch.setattr(module, "host", lambda: host)


@pytest.fixture
def toy_plugin(toy, monkeypatch):
    installed.host().register(Plugin(), "test")
    monkeypatch.setattr(module, "host", installed.host)


def make(name, **options):
    return build(SamplerSpec, Component(name, options))


def in_file(recipe_file, sampler):
    path = recipe_file(data=f"sample:\n  sampler: {sampler}\ndata:")
    return load_recipe(path).sample.sampler


@pytest.mark.parametrize(
    ("option", "given", "value"),
    [
        ("whole", 5, 5),
        ("real", 5, 5.0),
        ("real", float("inf"), float("inf")),
        ("flag", True, True),
        ("text", "on", "on"),
        ("choice", "right", "right"),
        ("sizes", [3, 4, 5], (3, 4, 5)),
        ("sizes", [], ()),
        ("either", 4, 4),
        ("either", [4], [4]),
        ("path", "a/b", Path("a/b")),
        ("path", "~/b", Path.home() / "b"),
        ("path", None, None),
        ("paths", ["~/a", "b"], (Path.home() / "a", Path("b"))),
        ("table", {"a": 1}, {"a": 1.0}),
    ],
)
@pytest.mark.parametrize("name", ["taker", "child"])
def test_option_becomes_what_the_signature_says(name, option, given, value):
    result = make(name, **{option: given}).given[option]
    assert (type(result), result) == (type(value), value)


@pytest.mark.parametrize(
    ("option", "given", "message"),
    [
        ("whole", 5.0, "taker.whole: must be a whole number, not 5.0"),
        ("whole", "5", "taker.whole: must be a whole number, not the text '5'"),
        ("whole", True, "taker.whole: must be a whole number, not true"),
        ("whole", None, "taker.whole: must be a whole number, not null"),
        ("real", "1e-4", "taker.real: must be a number, not the text '1e-4'"),
        ("flag", "on", "taker.flag: must be true or false, not the text 'on'"),
        ("flag", 1, "taker.flag: must be true or false, not 1"),
        ("text", 5, "taker.text: must be a text, not 5"),
        ("choice", "lift", "taker.choice: must be 'left' or 'right', not the text 'lift'"),
        ("sizes", 3, "taker.sizes: must be a list, not 3"),
        ("sizes", [1, 2.5], "taker.sizes.1: must be a whole number, not 2.5"),
        ("either", "x", "taker.either: must be a whole number or a list, not the text 'x'"),
        ("either", [1, "x"], "taker.either.1: must be a whole number, not the text 'x'"),
        ("path", 5, "taker.path: must be a text, not 5"),
        ("table", {"a": "b"}, "taker.table.a: must be a number, not the text 'b'"),
        ("wholes", 5, "taker.wholes: unknown option; did you mean 'whole'?"),
    ],
)
def test_wrong_option_is_named(option, given, message):
    with pytest.raises(UsageError) as caught:
        make("taker", **{option: given})
    assert str(caught.value) == message


def test_what_a_recipe_has_wrong_is_a_recipe_error_with_its_place(recipe_file):
    with pytest.raises(RecipeError) as caught:
        build(SamplerSpec, in_file(recipe_file, "\n    name: taker\n    whole: 1\n    sizes: [1, a]"))
    assert str(caught.value) == "my.yaml:12: sample.sampler.sizes.1: must be a whole number, not the text 'a'"


def test_unknown_option_in_an_override_names_the_override(recipe_file):
    recipe = load_recipe(recipe_file(), ["sample.sampler=taker", "sample.sampler.hole=5"])
    with pytest.raises(RecipeError) as caught:
        build(SamplerSpec, recipe.sample.sampler)
    assert str(caught.value) == (
        "override 'sample.sampler.hole=5': sample.sampler.hole: unknown option; did you mean 'whole'?"
    )


def test_missing_option_is_named(recipe_file):
    with pytest.raises(RecipeError) as caught:
        build(SamplerSpec, in_file(recipe_file, "{name: needs, other: x}"))
    assert str(caught.value) == "my.yaml:9: sample.sampler.one: missing"
    assert make("needs", one=3) == (3, "o")


def test_unknown_name_is_named_with_the_nearest(recipe_file):
    with pytest.raises(RecipeError, match=r"^my\.yaml:9: sample\.sampler\.name: .*'takr'.*did you mean 'taker'\?"):
        build(SamplerSpec, in_file(recipe_file, "takr"))
    with pytest.raises(UsageError, match=r"^unknown sampler 'takr'; did you mean 'taker'\?"):
        make("takr")


def test_broken_plugin_stays_a_plugin_error(recipe_file):
    with pytest.raises(PluginError, match=r"^my\.yaml:9: sample\.sampler\.name: .*polydiff\.gone"):
        build(SamplerSpec, in_file(recipe_file, "gone"))


def test_unknown_modality_is_named_where_it_stands(recipe_file):
    recipe = load_recipe(recipe_file())
    with pytest.raises(PluginError, match=r"^my\.yaml:1: modality: .*'toy'"):
        build(CodecSpec, recipe.codec, modality=recipe.modality)


def test_refusal_of_the_target_says_where_it_was_asked_for(recipe_file):
    component = in_file(recipe_file, "{name: refuses, reason: range}")
    with pytest.raises(RecipeError, match=r"^my\.yaml:9: sample\.sampler: refused: range$"):
        build(SamplerSpec, component)
    with pytest.raises(DataError, match=r"^refused: data$"):
        build(SamplerSpec, component.with_options({"reason": "data"}))
    with pytest.raises(ValueError, match=r"^refused: bug$"):
        build(SamplerSpec, component.with_options({"reason": "bug"}))


def test_engine_passes_its_own_arguments_and_a_recipe_cannot(recipe_file):
    assert build(GuidanceSpec, Component("guide", {"scale": 2}), denoiser="d", extra="e") == ("d", 2.0, "e")
    for key in ("denoiser", "extra"):
        with pytest.raises(UsageError, match=f"^guide.{key}: the engine sets this itself"):
            build(GuidanceSpec, Component("guide", {"scale": 2, key: 1}), denoiser="d", extra="e")


def test_schedule_within_a_schedule_is_a_component():
    base, scale = build(ScheduleSpec, Component("nested", {"base": {"name": "cosine", "s": 0.25}, "scale": 3}))
    assert (type(base).__name__, base.s, scale) == ("Cosine", 0.25, 3.0)
    inner = Component("nested", {"base": "flow"})
    (flow, _), _ = build(ScheduleSpec, Component("nested", {"base": inner.flat()}))
    assert isinstance(flow, Flow)


def test_wrong_option_of_an_inner_schedule_is_named(recipe_file):
    path = recipe_file(data="schedule:\n  name: nested\n  base: {name: cosine, z: 1}\ndata:")
    with pytest.raises(RecipeError, match=r"^my\.yaml:10: schedule\.base\.z: unknown option"):
        build(ScheduleSpec, load_recipe(path).schedule)


def test_prediction_is_built_and_checked():
    prediction = build_prediction(Component("edm", {"data_std": 2}))
    assert isinstance(prediction, Preconditioned)
    with pytest.raises(UsageError, match=r"^edm\.data_std: must be a number"):
        build_prediction(Component("edm", {"data_std": "2"}))
    with pytest.raises(UsageError, match=r"^unknown prediction 'epz'; did you mean 'eps'\?"):
        build_prediction(Component("epz"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("untyped", ":untyped: the option 'width' has no type"),
        ("unknowable", ":unknowable: the type of an option cannot be told: name 'Denoiser' is not defined"),
        ("strange", r"strange\.function: the option's type, .*Flow.*, is none that a recipe can give"),
    ],
)
def test_signature_that_no_recipe_can_satisfy_is_the_plugins_fault(name, words):
    with pytest.raises(PluginError, match=words):
        make(name, **({"function": 1} if name == "strange" else {}))


def test_resolved_recipe_says_every_default_and_every_path_in_full(recipe_file, toy_plugin, tmp_path):
    config = load_recipe(
        recipe_file(),
        [
            "data={source: {name: grid, path: there}}",
            "schedule={name: nested, base: cosine}",
            "prediction=edm",
            "sample.sampler={name: taker, path: here, paths: [~/a]}",
            "sample.guidance=[{name: guide, scale: 2}]",
        ],
    )
    resolved = resolve(config)
    assert resolved.data.source == Component("grid", {"path": str(tmp_path / "there"), "size": 4})
    assert resolved.codec == Component("squares", {"size": 4})
    assert resolved.backbone == Component("toy-net", {"width": 8, "repeated": 0})
    assert resolved.conditions["label"].options == {"classes": None, "width": 128}
    assert resolved.schedule == Component("nested", {"scale": 2.0, "base": {"name": "cosine", "s": 0.008}})
    assert resolved.prediction == Component("edm", {"data_std": 0.5})
    options = resolved.sample.sampler.options
    assert (options["path"], options["paths"]) == (str(tmp_path / "here"), [str(Path.home() / "a")])
    assert (options["sizes"], options["real"], options["table"]) == ([1, 2], 0.5, None)
    assert resolved.sample.guidance == [Component("guide", {"extra": None, "scale": 2.0})]
    assert resolve(resolved) == resolved
    assert f"path: {tmp_path / 'here'}\n" in dump(resolved)


def test_resolving_finds_what_is_wrong_before_anything_is_built(recipe_file, toy_plugin):
    def refusal(*overrides):
        with pytest.raises(RecipeError) as caught:
            resolve(load_recipe(recipe_file(), overrides))
        return str(caught.value)

    assert refusal("backbone.widht=3").endswith("backbone.widht: unknown option; did you mean 'width'?")
    assert refusal("backbone.data_channels=3").endswith("data_channels: the engine sets this itself; leave it out")
    assert refusal("conditions.label.dropuot=0") == (
        "override 'conditions.label.dropuot=0': conditions.label.dropuot: unknown option; did you mean 'dropout'?"
    )
    assert refusal("sample.grid=half-snr").endswith(
        "sample.grid.name: unknown time grid 'half-snr'; did you mean 'half-log-snr'?"
    )
    assert refusal("sample.grid={name: karras, rh: 5}").endswith("grid.rh: unknown option; did you mean 'rho'?")
    assert refusal("sample.grid={name: karras, steps: 5}").endswith("the engine sets this itself; leave it out")
    assert refusal("sample.grid=times").endswith("sample.grid.times: missing")


def test_shifted_schedule_names_its_base():
    shifted = build(ScheduleSpec, Component("shifted", {"base": "flow", "scale": 0.5}))
    assert isinstance(shifted, Shifted)
    assert isinstance(shifted.base, Flow)

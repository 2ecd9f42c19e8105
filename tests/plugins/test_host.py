"""The plugin host: names, clashes, isolation, blocking."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

import polydiff
from polydiff.errors import PluginError, UsageError
from polydiff.plugins import hookspecs
from polydiff.plugins.discovery import Candidate, blocked
from polydiff.plugins.host import Host, host
from polydiff.plugins.records import Plugin
from polydiff.plugins.specs import (
    BackboneSpec,
    CodecSpec,
    FileKindSpec,
    ModalitySpec,
    PresetSpec,
    SamplerSpec,
    ScheduleSpec,
    SourceSpec,
    TimesSpec,
)

ZIGZAG = SamplerSpec("zigzag", "json:dumps")


def modality(name: str, **parts: Any) -> ModalitySpec:
    required = {
        "codecs": (CodecSpec("plain", "json:loads"),),
        "backbones": (BackboneSpec(f"{name}-net", "json:loads"),),
        "sources": (SourceSpec("folder", "json:loads"),),
        "files": (FileKindSpec("csv", "json:loads", suffix=".csv"),),
    }
    return ModalitySpec(name, "", preview="json:dumps", trajectory="json:dump", **required | parts)


def gives(*specs: object) -> Callable[[], object]:
    return lambda: specs


def plugin(name: str, *, marked: bool = True, api: object = 1, **hooks: Callable[..., object]) -> Candidate:
    module = ModuleType(name)
    module.POLYDIFF_API = api
    for hook, function in hooks.items():
        setattr(module, hook, polydiff.hookimpl(function) if marked else function)
    return Candidate(Plugin(name, f"polydiff-{name}", "1.0"), lambda: module)


def raises(error: BaseException) -> Callable[[], Any]:
    def function() -> Any:
        raise error

    return function


def yields_then_raises() -> Any:
    yield ZIGZAG
    raise RuntimeError("halfway")


def record(of: Host, name: str) -> Any:
    return next(each for each in of.plugins if each.plugin.name == name)


def test_every_target_of_the_engine_and_its_plugins_exists() -> None:
    for entry in (entry for record in host().plugins for entry in record.registered):
        if isinstance(entry.spec, PresetSpec):
            assert host().preset(entry.spec.name).suffix == ".yaml"
        elif isinstance(entry.spec, ModalitySpec):
            assert callable(host().load(entry.spec, "preview"))
            assert callable(host().load(entry.spec, "trajectory"))
            assert not entry.spec.normalize or callable(host().load(entry.spec, "normalize"))
        else:
            assert callable(host().load(entry.spec)), entry
            if isinstance(entry.spec, FileKindSpec) and entry.spec.loss:
                assert callable(host().load(entry.spec, "loss")), entry


def test_hook_tables_are_the_hookspecs() -> None:
    functions = {name for name in vars(hookspecs) if name.startswith("polydiff_")}
    assert functions == {*hookspecs.REGISTRATIONS, *hookspecs.OBSERVERS}


def test_builtins_come_through_the_hooks_and_keep_their_order() -> None:
    names = [entry.spec.name for entry in Host().all(ScheduleSpec)]
    assert names == ["linear", "cosine", "sigmoid", "edm", "flow", "discrete", "shifted"]
    assert Host().find(SamplerSpec, "dpm++2m").order == 2


def test_found_spec_is_the_one_registered() -> None:
    found = Host([plugin("a", polydiff_samplers=gives(ZIGZAG))])
    assert found.find(SamplerSpec, "zigzag") is ZIGZAG
    assert found.load(ZIGZAG) is json.dumps


def test_unknown_name_gives_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^unknown sampler 'dddim'; did you mean 'ddim'\?$"):
        Host().find(SamplerSpec, "dddim")


def test_unknown_name_within_a_modality_says_the_modality() -> None:
    with pytest.raises(UsageError, match=r"^unknown shape codec 'plane'; did you mean 'plain'"):
        Host([plugin("s", polydiff_modalities=gives(modality("shape")))]).find(CodecSpec, "plane", "shape")


def test_unknown_modality_is_a_missing_plugin() -> None:
    with pytest.raises(PluginError, match=r"^unknown modality 'smell'; there is none$"):
        Host().find(CodecSpec, "plain", "smell")


def test_parts_of_a_modality_are_registered_with_it() -> None:
    found = Host([plugin("s", polydiff_modalities=gives(modality("shape")))])
    assert found.find(SourceSpec, "folder", "shape").modality == "shape"
    assert found.modality("shape").sources[0].modality == "shape"
    assert [(e.spec.name, e.modality, e.plugin.name) for e in found.all(BackboneSpec)] == [("shape-net", "shape", "s")]
    assert found.all(CodecSpec, "image") == []


def test_a_source_for_another_plugins_modality() -> None:
    more = SourceSpec("web", "json:loads", modality="shape")
    shape = plugin("s", polydiff_modalities=gives(modality("shape")))
    found = Host([shape, plugin("more", polydiff_sources=gives(more))])
    assert found.find(SourceSpec, "web", "shape") is more
    assert len(found.all(SourceSpec, "shape")) == 2


def test_clash_names_both_plugins_and_spares_other_names() -> None:
    other = SamplerSpec("other", "json:loads")
    found = Host([plugin("a", polydiff_samplers=gives(ZIGZAG, other)), plugin("b", polydiff_samplers=gives(ZIGZAG))])
    with pytest.raises(PluginError, match=r"'zigzag'.*'a' .polydiff-a 1.0.*'b' .polydiff-b 1.0.*POLYDIFF_PLUGINS_OFF"):
        found.find(SamplerSpec, "zigzag")
    assert found.find(SamplerSpec, "other") is other
    assert [str(clash) for clash in found.clashes] == [
        "sampler 'zigzag' is registered by plugin 'a' (polydiff-a 1.0) and by plugin 'b' (polydiff-b 1.0)"
    ]


def test_clash_with_a_builtin() -> None:
    found = Host([plugin("a", polydiff_samplers=gives(SamplerSpec("ddim", "json:loads")))])
    with pytest.raises(PluginError, match=r"'ddim' is registered by plugin 'polydiff' .* and by plugin 'a'"):
        found.find(SamplerSpec, "ddim")


def test_codecs_of_two_modalities_share_a_name_but_backbones_do_not() -> None:
    same = {"backbones": (BackboneSpec("net", "json:loads"),)}
    found = Host([plugin(name, polydiff_modalities=gives(modality(name, **same))) for name in ("one", "two")])
    assert found.find(CodecSpec, "plain", "one") == found.find(CodecSpec, "plain", "two")
    assert [clash.key for clash in found.clashes] == [(BackboneSpec, "", "net")]


BROKEN = {
    "import": (
        Candidate(Plugin("bad"), raises(ImportError("no\nlibrary"))),
        "cannot be imported: ImportError: no library",
    ),
    "exit": (Candidate(Plugin("bad"), raises(SystemExit(3))), "cannot be imported: SystemExit: 3"),
    "api": (plugin("bad", api=2, polydiff_samplers=gives(ZIGZAG)), "written for plugin API 2; this is 1"),
    "misspelled": (plugin("bad", polydiff_sampler=gives(ZIGZAG)), "unknown hook 'polydiff_sampler'.*polydiff_samplers"),
    "unmarked": (
        plugin("bad", marked=False, polydiff_samplers=gives(ZIGZAG)),
        "'polydiff_samplers' is not marked with @polydiff.hookimpl",
    ),
    "arguments": (plugin("bad", polydiff_samplers=lambda host: [ZIGZAG]), "Argument.*host"),
    "raises": (plugin("bad", polydiff_samplers=raises(OSError("gone"))), "polydiff_samplers raises OSError: gone"),
    "raises late": (plugin("bad", polydiff_samplers=yields_then_raises), "raises RuntimeError: halfway"),
    "no spec": (plugin("bad", polydiff_samplers=gives("zigzag")), "gives 'zigzag', which is no SamplerSpec"),
    "other spec": (plugin("bad", polydiff_schedules=gives(ZIGZAG)), "which is no ScheduleSpec"),
    "no iterable": (plugin("bad", polydiff_samplers=lambda: ZIGZAG), "raises TypeError: .*not iterable"),
    "none": (plugin("bad", polydiff_samplers=lambda: None), "gives None, not an iterable of specs"),
    "twice": (plugin("bad", polydiff_samplers=gives(ZIGZAG, ZIGZAG)), "registers sampler 'zigzag' 2 times"),
    "name": (plugin("bad", polydiff_samplers=gives(SamplerSpec("zig zag", "a:b"))), "'zig zag' cannot name a sampler"),
    "target": (plugin("bad", polydiff_samplers=gives(SamplerSpec("z", "a.b"))), "target of sampler 'z' is 'a.b'"),
    "source": (plugin("bad", polydiff_sources=gives(SourceSpec("web", "a:b"))), "does not say which modality"),
    "list": (plugin("bad", polydiff_modalities=gives(modality("m", codecs=[]))), "codecs of .* must be a tuple"),
    "empty": (plugin("bad", polydiff_modalities=gives(modality("m", backbones=()))), "'m' has no backbones"),
    "suffix": (
        plugin("bad", polydiff_modalities=gives(modality("m", files=(FileKindSpec("csv", "a:b"),)))),
        "needs a suffix with its dot, not ''",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_plugin_leaves_one_record_and_nothing_else(case: str) -> None:
    candidate, reason = BROKEN[case]
    found = Host([candidate, plugin("good", polydiff_objectives=gives(TimesSpec("late", "json:dumps")))])
    broken = record(found, "bad")
    assert broken.status == "broken"
    assert re.search(reason, broken.error)
    assert "\n" not in broken.error
    assert len(found.all(SamplerSpec)) == len(Host().all(SamplerSpec))
    assert found.all(ModalitySpec) == []
    assert found.clashes == []
    assert found.find(TimesSpec, "late").target == "json:dumps"


def test_name_of_a_broken_plugin_says_that_it_is_broken() -> None:
    found = Host([plugin("bad", polydiff_samplers=gives(ZIGZAG), polydiff_sources=raises(OSError("gone")))])
    with pytest.raises(PluginError, match=r"sampler 'zigzag' belongs to plugin 'bad' .*broken: .*OSError: gone"):
        found.find(SamplerSpec, "zigzag")


def test_unknown_name_mentions_plugins_that_did_not_load() -> None:
    found = Host([Candidate(Plugin("bad", "polydiff-bad", "1.0"), raises(ImportError("x")))])
    with pytest.raises(UsageError, match=r"unknown sampler 'zigzag'.*plugin 'bad' \(polydiff-bad 1.0\) is broken"):
        found.find(SamplerSpec, "zigzag")


def test_blocked_plugin_is_not_imported() -> None:
    shape = Candidate(Plugin("shape", "polydiff-shape", "1.0"), raises(AssertionError("imported")))
    found = Host([shape], blocked=["shape"])
    assert record(found, "shape").status == "blocked"
    with pytest.raises(PluginError, match=r"modality 'shape' may belong to plugin 'shape'.*POLYDIFF_PLUGINS_OFF"):
        found.modality("shape")


def test_blocking_what_is_not_installed_is_reported() -> None:
    found = Host([plugin("shape")], blocked=["shap", "polydiff"])
    assert record(found, "shap").status == "missing"
    assert record(found, "shap").error == "POLYDIFF_PLUGINS_OFF names an unknown plugin 'shap'; did you mean 'shape'?"
    assert found.plugins[0].status == "ok"
    assert found.plugins[-1].plugin.name == "polydiff"


def test_blocked_names_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYDIFF_PLUGINS_OFF", " image, ,shape")
    assert blocked() == ("image", "shape")
    monkeypatch.delenv("POLYDIFF_PLUGINS_OFF")
    assert blocked() == ()


def test_target_that_cannot_be_imported_names_the_plugin() -> None:
    spec = SamplerSpec("lost", "polydiff.nowhere:Lost")
    found = Host([plugin("a", polydiff_samplers=gives(spec))])
    with pytest.raises(PluginError, match=r"sampler 'lost' of plugin 'a' .*'polydiff.nowhere:Lost' cannot be imported"):
        found.load(spec)


def test_preset_without_its_file_names_the_plugin() -> None:
    found = Host([plugin("a", polydiff_presets=gives(PresetSpec("p", "polydiff:presets/p.yaml")))])
    with pytest.raises(
        PluginError, match=r"preset 'p' of plugin 'a' .*no file 'presets/p.yaml' in the package 'polydiff'"
    ):
        found.preset("p")


def test_preset_gives_a_file_of_the_package() -> None:
    found = Host([plugin("a", polydiff_presets=gives(PresetSpec("p", "polydiff.plugins:host.py")))])
    assert found.preset("p").samefile(inspect.getfile(Host))


def test_registering_in_process_adds_names() -> None:
    found = Host()
    found.register(plugin("mine", polydiff_samplers=gives(ZIGZAG)).load())
    assert found.find(SamplerSpec, "zigzag") is ZIGZAG


def test_registering_a_misspelled_hook_is_refused_whole() -> None:
    found = Host()
    with pytest.raises(PluginError, match="unknown hook 'polydiff_run_stat'; did you mean 'polydiff_run_start'"):
        found.register(plugin("x", polydiff_run_stat=gives(), polydiff_samplers=gives(ZIGZAG)).load())
    assert len(found.plugins) == 1
    with pytest.raises(UsageError):
        found.find(SamplerSpec, "zigzag")

"""`polydiff plugins`: what is listed, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from polydiff.cli.main import main
from polydiff.plugins import builtin
from polydiff.plugins.host import host

PLUGIN = """
import polydiff
from polydiff.plugins.specs import SamplerSpec

@polydiff.hookimpl
def polydiff_{hook}():
    yield SamplerSpec("zigzag", "json:dumps")
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages, after those that are there."""
    monkeypatch.syspath_prepend(tmp_path)
    host.cache_clear()
    yield tmp_path
    host.cache_clear()


def install(site: Path, name: str, source: str) -> None:
    info = site / f"polydiff_{name}-1.5.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text(f"[polydiff]\n{name} = {name}_plugin\n")
    (site / f"{name}_plugin.py").write_text(source)


def listed(capsys, *args: str) -> dict:
    assert main(["plugins", "--json", *args]) == 0
    return json.loads(capsys.readouterr().out)


def test_installed_plugin_is_listed_with_its_names(site: Path, capsys) -> None:
    install(site, "alpha", PLUGIN.format(hook="samplers"))
    plugins = {each["name"]: each for each in listed(capsys)["plugins"]}
    assert plugins["alpha"] == {
        "name": "alpha",
        "distribution": "polydiff-alpha",
        "version": "1.5",
        "status": "ok",
        "registers": {"sampler": ["zigzag"]},
        "error": "",
    }
    assert plugins["image"]["registers"]["modality"] == ["image"]
    assert plugins["polydiff"]["registers"]["sampler"] == [spec.name for spec in builtin.polydiff_samplers()]


def test_table_shows_a_broken_plugin_beside_the_sound_ones(site: Path, capsys) -> None:
    install(site, "beta", PLUGIN.format(hook="sampler"))
    install(site, "gamma", "import no_such_library")
    assert main(["plugins"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert rows["PLUGIN"].split() == ["PLUGIN", "PACKAGE", "STATUS", "REGISTERS"]
    assert rows["beta"].split(maxsplit=4) == [
        "beta",
        "polydiff-beta",
        "1.5",
        "broken",
        "unknown hook 'polydiff_sampler'; did you mean 'polydiff_samplers'?",
    ]
    assert "cannot be imported: ModuleNotFoundError: No module named 'no_such_library'" in rows["gamma"]
    assert " ok " in rows["image"]
    assert "presets digits, glyphs, folder-64" in rows["image"]


def test_clash_is_shown(site: Path, capsys) -> None:
    for name in ("alpha", "delta"):
        install(site, name, PLUGIN.format(hook="samplers"))
    first, second = (f"plugin '{name}' (polydiff-{name} 1.5)" for name in ("alpha", "delta"))
    clash = f"sampler 'zigzag' is registered by {first} and by {second}"
    assert listed(capsys)["clashes"] == [clash]
    assert main(["plugins"]) == 0
    assert capsys.readouterr().out.endswith(f"\nclash: {clash}\n")


def test_blocked_and_unknown_names(site: Path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYDIFF_PLUGINS_OFF", "image,imag")
    states = {each["name"]: (each["status"], each["registers"]) for each in listed(capsys)["plugins"]}
    assert states["image"] == ("blocked", {})
    assert states["imag"] == ("missing", {})

"""`polydiff presets`: the list, and one recipe."""

from __future__ import annotations

import json

from polydiff.cli.main import main
from polydiff.plugins.host import host
from polydiff.recipe.load import load_recipe


def test_table_names_every_preset_and_its_plugin(capsys) -> None:
    assert main(["presets"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["PRESET", "MODALITY", "PLUGIN", "SUMMARY"]
    assert ["digits", "image", "image"] in [row[:3] for row in rows]


def test_json_holds_the_same(capsys) -> None:
    assert main(["presets", "--json"]) == 0
    presets = {each["name"]: each for each in json.loads(capsys.readouterr().out)["presets"]}
    assert {"digits", "glyphs", "folder-64"} <= presets.keys()
    assert (presets["digits"]["modality"], presets["digits"]["plugin"]) == ("image", "image")
    assert presets["digits"]["summary"]


def test_a_preset_is_written_as_it_is(capsys, tmp_path) -> None:
    assert main(["presets", "digits"]) == 0
    out = capsys.readouterr().out
    assert out == host().preset("digits").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(out)
    assert load_recipe(tmp_path / "mine.yaml").modality == "image"
    assert main(["presets", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "digits", "recipe": out}


def test_unknown_preset_gives_the_nearest(capsys) -> None:
    assert main(["presets", "digit"]) == 2
    assert capsys.readouterr().err == "error: unknown preset 'digit'; did you mean 'digits'?\n"


def test_no_presets_at_all(capsys, monkeypatch) -> None:
    monkeypatch.setattr(host(), "all", lambda kind: [])
    assert main(["presets", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"presets": []}

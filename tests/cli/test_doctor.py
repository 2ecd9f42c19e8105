"""`polydiff doctor`: findings, and the exit code that they make."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

import polydiff
from polydiff.cli import checks, doctor
from polydiff.cli.main import main
from polydiff.errors import PluginError
from polydiff.plugins.checks import Finding
from polydiff.plugins.discovery import Candidate
from polydiff.plugins.host import Host
from polydiff.plugins.records import Plugin
from polydiff.plugins.specs import CheckSpec, SamplerSpec


def candidate(name: str, monkeypatch: pytest.MonkeyPatch, **attributes: object) -> Candidate:
    module = ModuleType(f"doctor_{name}")
    for key, value in attributes.items():
        setattr(module, key, polydiff.hookimpl(value) if key.startswith("polydiff_") else value)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Candidate(Plugin(name, f"polydiff-{name}", "1.0"), lambda: module)


def run(monkeypatch: pytest.MonkeyPatch, capsys, *candidates: Candidate, **kwargs: object) -> tuple[int, list[dict]]:
    host = Host(candidates, **kwargs)
    monkeypatch.setattr(doctor, "host", lambda: host)
    code = main(["doctor", "--json"])
    return code, json.loads(capsys.readouterr().out)["findings"]


def test_sound_installation(monkeypatch, capsys) -> None:
    code, findings = run(monkeypatch, capsys)
    assert code == 0
    checks = [each["check"] for each in findings]
    assert {"python", "torch", "attention", "disk", "plugins"} == set(checks)
    assert {"check": "plugins", "level": "ok", "message": f"{Host().plugins[0].plugin} is ok"} in findings


def test_lines_begin_with_their_level(capsys) -> None:
    main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ok       python: 3.")
    assert {line.split()[0] for line in lines} <= {"ok", "warning", "error"}


def test_broken_plugin_gives_code_4(monkeypatch, capsys) -> None:
    code, findings = run(monkeypatch, capsys, candidate("bad", monkeypatch, polydiff_sampler=lambda: ()))
    assert code == PluginError.exit_code
    message = (
        "plugin 'bad' (polydiff-bad 1.0) is broken: unknown hook 'polydiff_sampler'; did you mean 'polydiff_samplers'?"
    )
    assert {"check": "plugins", "level": "error", "message": message} in findings


def test_clash_gives_code_4(monkeypatch, capsys) -> None:
    twice = [candidate(n, monkeypatch, polydiff_samplers=lambda: [SamplerSpec("z", "json:dumps")]) for n in "ab"]
    code, findings = run(monkeypatch, capsys, *twice)
    assert code == PluginError.exit_code
    (line,) = [each["message"] for each in findings if each["level"] == "error"]
    assert line == "sampler 'z' is registered by plugin 'a' (polydiff-a 1.0) and by plugin 'b' (polydiff-b 1.0)"


def test_blocked_is_fine_and_blocking_nothing_is_a_warning(monkeypatch, capsys) -> None:
    code, findings = run(monkeypatch, capsys, candidate("a", monkeypatch), blocked=["a", "b"])
    assert code == 0
    assert [each["level"] for each in findings if each["check"] == "plugins"] == ["ok", "ok", "warning"]


def test_checks_of_plugins_are_made_and_failing_ones_reported(monkeypatch, capsys) -> None:
    plugin = candidate(
        "checked",
        monkeypatch,
        fonts=lambda: [Finding("warning", "no fonts")],
        wrong=lambda: ["text"],
        polydiff_checks=lambda: [
            CheckSpec("fonts", "doctor_checked:fonts"),
            CheckSpec("wrong", "doctor_checked:wrong"),
            CheckSpec("lost", "doctor_checked:lost"),
        ],
    )
    code, findings = run(monkeypatch, capsys, plugin)
    assert code == 1
    found = {each["check"]: (each["level"], each["message"]) for each in findings}
    assert found["fonts"] == ("warning", "no fonts")
    assert found["wrong"][0] == "error"
    assert (
        "the check of plugin 'checked' (polydiff-checked 1.0) fails: AssertionError: 'text' is no" in found["wrong"][1]
    )
    assert "check 'lost' of plugin 'checked'" in found["lost"][1]


def test_little_disk_space_is_a_warning(monkeypatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda place: type("Usage", (), {"free": 1 << 29})())
    (finding,) = checks.disk()
    assert finding == Finding("warning", f"0.5 GiB free for runs in {tmp_path}")


def test_attention_check_names_the_missing_backend() -> None:
    findings = list(checks.attention())
    assert Finding("ok", "'math' works on cpu") in findings or any("cuda" in each.message for each in findings)
    assert len(findings) == 4

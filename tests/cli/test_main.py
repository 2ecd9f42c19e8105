"""The program: its listing, its errors and exit codes, its weight."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time
from types import ModuleType

import click
import pytest

import polydiff
from polydiff import errors
from polydiff.cli import main as program
from polydiff.plugins.discovery import Candidate
from polydiff.plugins.host import Host
from polydiff.plugins.records import Plugin
from polydiff.plugins.specs import CommandSpec

HEAVY = {"torch", "numpy", "pydantic", "rich", "ruamel", "lightning_fabric", "PIL", "matplotlib", "sklearn"}
SCRIPT = [sys.executable, "-c", "import sys; from polydiff.cli.main import main; sys.exit(main())"]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A plugin with the command `play`, which raises `module.error` or gives `module.code`."""
    module = ModuleType("player_of_tests")
    module.error, module.code = None, None

    @click.command()
    @click.option("--loud", is_flag=True)
    def command(loud: bool) -> int | None:
        """Play something, in full."""
        if module.error is not None:
            raise module.error
        return module.code

    @polydiff.hookimpl
    def polydiff_commands() -> tuple[CommandSpec, ...]:
        return (
            CommandSpec("play", "player_of_tests:command", "Play something."),
            CommandSpec("stop", "player_of_tests:code", "Not a command."),
        )

    module.command, module.polydiff_commands = command, polydiff_commands
    monkeypatch.setitem(sys.modules, module.__name__, module)
    host = Host([Candidate(Plugin("player", "polydiff-player", "1.0"), lambda: module)])
    monkeypatch.setattr(program, "host", lambda: host)
    monkeypatch.delenv("POLYDIFF_DEBUG", raising=False)
    return module


def test_help_lists_the_engines_commands_first_then_plugins(play: ModuleType, capsys) -> None:
    assert program.main(["--help"]) == 0
    out = capsys.readouterr().out
    names = re.findall(r"^  ([a-z-]+)  +(.*)$", out.partition("Commands:")[2], re.MULTILINE)
    assert [name for name, _ in names] == [
        "train", "generate", "grid", "embed", "align", "distill", "data", "bench", "tune-grid", "verify", "presets",
        "plugins", "doctor", "new-plugin", "play", "stop",
    ]  # fmt: skip
    assert names[-2] == ("play", "Play something.")


def test_every_engine_command_has_help(capsys) -> None:
    for name in (
        "train", "generate", "embed", "align", "data", "bench", "tune-grid", "verify", "presets", "plugins", "doctor",
        "new-plugin",
    ):  # fmt: skip
        assert program.main([name, "-h"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: polydiff {name}")


def test_version(capsys) -> None:
    assert program.main(["--version"]) == 0
    assert capsys.readouterr().out == f"polydiff {polydiff.__version__}\n"


def test_without_a_command_there_is_help_and_the_code_of_usage(capsys) -> None:
    assert program.main([]) == 2
    assert "Commands:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["plya"], 2, "error: unknown command 'plya'; did you mean 'play'?\n"),
        (["play", "--lout"], 2, "error: No such option '--lout'. Did you mean '--loud'?\nsee `polydiff play --help`\n"),
        (["play", "more"], 2, "error: Got unexpected extra argument (more)\nsee `polydiff play --help`\n"),
        (["--lout"], 2, "error: No such option '--lout'.\nsee `polydiff --help`\n"),
        (["stop"], 4, "error: command 'stop': 'player_of_tests:code' is not a click command\n"),
    ],
)
def test_usage_errors_are_short(play: ModuleType, capsys, args: list[str], code: int, message: str) -> None:
    assert program.main(args) == code
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.PolydiffError("no luck"), 1, "error: no luck\n"),
        (errors.UsageError("no luck"), 2, "error: no luck\n"),
        (errors.RecipeError("a.yaml:3: no luck"), 3, "error: a.yaml:3: no luck\n"),
        (errors.DataError("no luck"), 3, "error: no luck\n"),
        (errors.PluginError("no luck"), 4, "error: no luck\n"),
        (errors.ModelError("no luck"), 5, "error: no luck\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ValueError("a\nb"), 1, "error: ValueError: a b\nrun again with --debug for the traceback\n"),
        (EOFError("cut off"), 1, "error: EOFError: cut off\nrun again with --debug for the traceback\n"),
    ],
)
def test_errors_become_lines_and_codes(play: ModuleType, capsys, error, code: int, message: str) -> None:
    play.error = error
    assert program.main(["play"]) == code
    out, err = capsys.readouterr()
    assert err.lstrip("\n") == message
    assert out == ""


def test_a_command_gives_its_own_code(play: ModuleType) -> None:
    play.code = 130
    assert program.main(["play"]) == 130


@pytest.mark.parametrize("args", [["--debug", "play"], ["play", "--debug", "--loud"]])
def test_debug_shows_the_traceback_wherever_it_stands(play: ModuleType, capsys, args: list[str]) -> None:
    play.error = errors.DataError("no luck")
    assert program.main(args) == 3
    err = capsys.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith("error: no luck\n")


def test_debug_by_the_environment(play: ModuleType, capsys, monkeypatch) -> None:
    monkeypatch.setenv("POLYDIFF_DEBUG", "1")
    play.error = ValueError("odd")
    assert program.main(["play"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("error: ValueError: odd\n")


def test_debug_after_two_dashes_is_an_argument(play: ModuleType, capsys) -> None:
    assert program.main(["play", "--", "--debug"]) == 2
    assert "unexpected extra argument (--debug)" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error() -> None:
    program = subprocess.Popen([*SCRIPT, "plugins"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert program.stdout is not None and program.stderr is not None
    program.stdout.close()
    assert program.stderr.read() == b""
    program.stderr.close()
    assert program.wait() == 1


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["plugins"], ["plugins", "--json"], ["presets"]])
def test_listings_import_nothing_heavy(args: list[str]) -> None:
    code = f"from polydiff.cli.main import main; import sys; main({args}); print(*sys.modules, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in run.stderr.split()}
    assert "click" in imported
    assert not imported & HEAVY


@pytest.mark.slow
@pytest.mark.parametrize("args", [["--help"], ["plugins"]])
def test_listings_are_quick(args: list[str]) -> None:
    def seconds(command: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        return time.perf_counter() - start

    bare, full = zip(
        *[(seconds([sys.executable, "-c", "pass"]), seconds([*SCRIPT, *args])) for _ in range(15)], strict=True
    )
    assert statistics.median(full) < 8 * statistics.median(bare)

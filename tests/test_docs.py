"""The documents tell the truth: their Python runs and their commands parse."""

import re
import shlex
from pathlib import Path

import click
import pytest

from polydiff.cli.main import polydiff
from polydiff.plugins.host import host
from polydiff.plugins.specs import CommandSpec

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=[str(p.relative_to(ROOT)) for p in DOCUMENTS])


def _blocks(path, language):
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def _commands(path):
    for block in _blocks(path, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and Path(words[0]).name == "polydiff":
                yield words[1:]


@every_document
def test_python_snippets_run(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in _blocks(path, "python"):
        exec(compile(block, str(path), "exec"), namespace)


@every_document
def test_commands_parse(path):
    for name, *words in _commands(path):
        if name.startswith("-"):
            continue
        command = host().load(host().find(CommandSpec, name))
        try:
            command.make_context(name, list(words), parent=click.Context(polydiff, **polydiff.context_settings))
        except click.exceptions.Exit:
            assert "--help" in words


@every_document
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_readme_has_both(monkeypatch):
    assert _blocks(ROOT / "README.md", "python")
    assert len(list(_commands(ROOT / "README.md"))) >= 2

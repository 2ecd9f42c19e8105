"""`polydiff doctor`: what works here and what does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click

from polydiff.cli import console
from polydiff.errors import PluginError, PolydiffError
from polydiff.plugins.checks import Finding, Level
from polydiff.plugins.host import Host, host
from polydiff.plugins.records import PluginRecord, Registered, Status, in_one_line
from polydiff.plugins.specs import CheckSpec

_LEVELS: dict[Status, Level] = {"ok": "ok", "blocked": "ok", "missing": "warning", "broken": "error"}
_COLOURS: dict[Level, str] = {"ok": "green", "warning": "yellow", "error": "red"}


@dataclass(frozen=True, slots=True)
class _Line:
    check: str
    level: Level
    message: str


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check this installation: Python, devices, plugins, disk space.

    The exit code is 4 when a plugin is broken or in conflict with another, and 1 when something else does not work.
    """
    plugin_lines = list(_plugins(host()))
    lines = [line for entry in host().all(CheckSpec) for line in _run(host(), entry)] + plugin_lines
    if as_json:
        console.as_json({"findings": [asdict(line) for line in lines]})
    else:
        for line in lines:
            click.echo(f"{click.style(f'{line.level:8}', fg=_COLOURS[line.level])} {line.check}: {line.message}")
    if any(line.level == "error" for line in plugin_lines):
        context.exit(PluginError.exit_code)
    if any(line.level == "error" for line in lines):
        context.exit(PolydiffError.exit_code)


def _run(host: Host, entry: Registered) -> Iterator[_Line]:
    try:
        for finding in host.load(entry.spec)():
            assert isinstance(finding, Finding), f"{finding!r} is no Finding"
            yield _Line(entry.spec.name, finding.level, finding.message)
    except PluginError as error:
        yield _Line(entry.spec.name, "error", str(error))
    except Exception as error:
        yield _Line(entry.spec.name, "error", f"the check of {entry.plugin} fails: {in_one_line(error)}")


def _plugins(host: Host) -> Iterator[_Line]:
    for record in host.plugins:
        yield _Line("plugins", _LEVELS[record.status], _state(record))
    for clash in host.clashes:
        yield _Line("plugins", "error", str(clash))


def _state(record: PluginRecord) -> str:
    if record.status == "missing":
        return record.error
    detail = f": {record.error}" if record.error else ""
    return f"{record.plugin} is {record.status}{detail}"

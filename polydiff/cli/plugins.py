"""`polydiff plugins`: what is installed and what it registers."""

from __future__ import annotations

from typing import Any

import click

from polydiff.cli import console
from polydiff.plugins.host import host
from polydiff.plugins.records import PluginRecord


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def plugins(as_json: bool) -> None:
    """List the plugins, their state and what they register."""
    if as_json:
        console.as_json({"plugins": list(map(_record, host().plugins)), "clashes": list(map(str, host().clashes))})
        return
    console.table(("PLUGIN", "PACKAGE", "STATUS", "REGISTERS"), [_row(record) for record in host().plugins])
    for clash in host().clashes:
        click.echo(f"\nclash: {clash}")


def _row(record: PluginRecord) -> tuple[str, str, str, str]:
    package = f"{record.plugin.distribution} {record.plugin.version}".strip()
    registers = (f"{_heading(kind, names)} {', '.join(names)}" for kind, names in _names(record).items())
    return record.plugin.name, package, record.status, record.error or "; ".join(registers)


def _record(record: PluginRecord) -> dict[str, Any]:
    return {
        "name": record.plugin.name,
        "distribution": record.plugin.distribution,
        "version": record.plugin.version,
        "status": record.status,
        "registers": _names(record),
        "error": record.error,
    }


def _names(record: PluginRecord) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for entry in record.registered if record.status == "ok" else ():
        names.setdefault(entry.spec.kind, []).append(entry.spec.name)
    return names


def _heading(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return kind
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"

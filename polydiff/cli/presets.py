"""`polydiff presets`: the recipes that plugins ship."""

from __future__ import annotations

import click

from polydiff.cli import console
from polydiff.plugins.host import host
from polydiff.plugins.records import Registered
from polydiff.plugins.specs import PresetSpec


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def presets(name: str | None, as_json: bool) -> None:
    """List the presets, or write the recipe of the one called NAME."""
    if name is not None:
        recipe = host().preset(name).read_text(encoding="utf-8")
        if as_json:
            console.as_json({"name": name, "recipe": recipe})
        else:
            click.echo(recipe, nl=False)
        return
    entries = host().all(PresetSpec)
    if as_json:
        console.as_json({"presets": list(map(_record, entries))})
    elif entries:
        console.table(
            ("PRESET", "MODALITY", "PLUGIN", "SUMMARY"),
            [(e.spec.name, e.modality, e.plugin.name, e.spec.summary) for e in entries],
        )
        click.echo("\nTrain one with `polydiff train PRESET`; read it with `polydiff presets PRESET`.")
    else:
        click.echo("No installed plugin ships a preset; see `polydiff plugins`.")


def _record(entry: Registered) -> dict[str, str]:
    return {
        "name": entry.spec.name,
        "modality": entry.modality,
        "plugin": entry.plugin.name,
        "summary": entry.spec.summary,
    }

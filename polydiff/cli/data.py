"""`polydiff data`: what a model is to be trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polydiff import files
from polydiff.cli import console
from polydiff.cli.counting import counting
from polydiff.cli.options import Whole
from polydiff.errors import PluginError, UsageError, nearest
from polydiff.plugins.host import host
from polydiff.plugins.specs import ModalitySpec, PresetSpec

if TYPE_CHECKING:
    from polydiff.recipe.schema import DataConfig

REPORT, SHEET = "data-report.json", "data-sheet.png"

NAMED = 3
"""Items that the table names for each finding."""

LISTED = 12
"""Classes that the table lists."""

UNEVEN = 3
"""How many times more items the largest class may have than the smallest before a remedy is named."""


@click.group()
def data() -> None:
    """Look at what a model is to be trained on."""


@data.command()
@click.argument("source")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--modality", metavar="NAME", help="Of a place of data: image, audio, ...")
@click.option(
    "--out", type=click.Path(path_type=Path), default=".", metavar="FOLDER", help=f"For {REPORT} and {SHEET}; here."
)
@click.option("--samples", type=Whole(1), default=64, show_default=True, help=f"Items on {SHEET}, at random.")
@click.option("--workers", type=Whole(0), default=0, show_default=True, help="Processes that read.")
@click.option("--json", "as_json", is_flag=True, help=f"Write {REPORT} to the standard output, too.")
def check(
    source: str,
    overrides: tuple[str, ...],
    modality: str | None,
    out: Path,
    samples: int,
    workers: int,
    as_json: bool,
) -> None:
    """Read every item of SOURCE once and report what is wrong with some: a folder, tar shards, a Parquet file or what
    `save_to_disk` wrote (with --modality), or the sources of a recipe, a preset or a run, `data.validation` included.

    KEY=VALUE changes a recipe (data.source.path=photos), or sets an option of the folder (max_pixels=1000000). Findings
    are no failure: the exit code is 0 unless nothing can be read.
    """
    from polydiff.data.joined import Joined  # noqa: PLC0415 (imports torch)
    from polydiff.data.report import record  # noqa: PLC0415
    from polydiff.data.survey import sample, survey  # noqa: PLC0415
    from polydiff.plugins.specs import SourceSpec  # noqa: PLC0415
    from polydiff.recipe.build import build, build_source, complete  # noqa: PLC0415

    modality, config = _found(source, overrides, modality)
    spec = host().modality(modality)
    examples, sources = build_source(config, modality), [config.source, *config.also]
    if config.validation is not None:
        held_out = build(SourceSpec, config.validation, modality=modality)
        examples, sources = Joined({"source": examples, "validation": held_out}), [*sources, config.validation]
    describe = host().load(spec, "describe") if spec.describe else None
    with counting(len(examples), "items") as advance:
        found = survey(examples, describe, workers=workers, on_item=advance)
    chosen = sample(examples, found, samples)
    captions = [examples.label(index) or Path(examples.name(index)).name for index in chosen]
    sheet = host().load(spec, "preview")([examples[index].content for index in chosen], captions)
    report = {
        "modality": modality,
        "sources": [complete(SourceSpec, each, modality=modality).flat() for each in sources],
        "described": describe is not None,
        **record(examples, found),
        "sheet": SHEET,
    }
    _write(out, {REPORT: json.dumps(report, indent=2, ensure_ascii=False).encode("utf-8", "replace"), SHEET: sheet})
    if as_json:
        console.as_json(report)
    else:
        _show(report, out)


def _found(source: str, overrides: Sequence[str], modality: str | None) -> tuple[str, DataConfig]:
    """Give the modality and the source that an argument stands for; a file goes before a preset of its very name."""
    from polydiff.recipe.load import load_recipe  # noqa: PLC0415 (imports torch)

    path = Path(source)
    kind = _kind(source)
    run = path / "recipe.yaml"
    is_recipe = run.is_file() or path.suffix in {".yaml", ".yml"}
    is_preset = any(entry.spec.name == source for entry in host().all(PresetSpec))
    if kind is not None and not run.is_file() and (kind[0] != "folder" or modality is not None or not is_preset):
        return _plain(source, overrides, modality, *kind)
    if modality is not None:
        _check_no_modality(path, modality, says_its_own=is_recipe or is_preset)
    if run.is_file():
        path = run
    elif not (path.is_file() or is_recipe):
        if not is_preset:
            near = nearest(source, [entry.spec.name for entry in host().all(PresetSpec)])
            raise UsageError(f"there is no folder, recipe, run or preset '{source}'; of presets, {near}")
        path = host().preset(source)
    recipe = load_recipe(path, overrides)
    return recipe.modality, recipe.data


def _check_no_modality(path: Path, modality: str, *, says_its_own: bool) -> None:
    """Refuse a modality of what is no place of data."""
    host().modality(modality)  # raises with the nearest one
    if says_its_own:
        raise UsageError("--modality is for a folder, tar shards or Parquet files; a recipe says its own")
    if path.is_file():
        raise UsageError(f"{path} is no tar shard (.tar) or Parquet file (.parquet); of others, name the folder")


def _kind(source: str) -> tuple[str, str] | None:
    """Give the source that reads a place, and the option that takes it; `None` for what is no place of data."""
    from polydiff.data.hugging_face import is_saved  # noqa: PLC0415 (imports torch)
    from polydiff.data.tar import is_url  # noqa: PLC0415

    path = Path(source)
    if is_url(source) or path.suffix == ".tar":
        return "webdataset", "shards"
    if path.suffix == ".parquet":
        return "parquet", "files"
    if path.is_dir():
        return "hf" if is_saved(path) else "folder", "path"
    return None


def _plain(
    source: str, overrides: Sequence[str], modality: str | None, name: str, option: str
) -> tuple[str, DataConfig]:
    """Make the source of a place."""
    from polydiff.recipe.component import Component  # noqa: PLC0415 (imports torch)
    from polydiff.recipe.schema import DataConfig  # noqa: PLC0415
    from polydiff.recipe.yaml import parse  # noqa: PLC0415

    known = [entry.spec.name for entry in host().all(ModalitySpec)]
    if modality is None:
        if not known:
            raise PluginError("no plugin of a modality is installed")
        raise UsageError(f"say what {source} holds: --modality {' or '.join(known)}")
    options: dict[str, Any] = {option: source}
    for override in overrides:
        key, sign, value = override.partition("=")
        if not sign or not key.isidentifier():
            raise UsageError(f"'{override}' sets no option of the source; write OPTION=VALUE")
        options[key] = parse(value, lambda _: override)[0]  # noqa: B023 (called here)
    return modality, DataConfig(source=Component(name, options))


def _write(out: Path, contents: dict[str, bytes]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise files.cannot_write(out, error) from error
    for name, content in contents.items():
        files.write(out / name, content)


def _show(report: dict[str, Any], out: Path) -> None:
    findings = [(what, str(count), which) for what, count, which in _findings(report)]
    click.echo(f"{report['readable']} items can be read, {len(report['classes'])} classes")
    if findings:
        console.table(("FINDING", "ITEMS", "WHICH"), findings)
    else:
        click.echo("nothing is wrong with any of them")
    if not report["described"]:
        click.echo(f"the modality '{report['modality']}' describes no contents: sizes and flaws are not looked for")
    if report["sizes"]:
        click.echo()
        keys = ("least", "median", "most")
        rows = [(name, *(f"{size[key]:.6g}" for key in keys)) for name, size in report["sizes"].items()]
        console.table(("SIZE", *map(str.upper, keys)), rows)
    if report["classes"]:
        click.echo()
        _show_classes(report["classes"], report["readable"])
    for each in report["licences"]:
        click.echo(f"licence: {each['licence'] or 'not said'} ({each['items']})")
    click.echo(f"\nreport: {out / REPORT}\nsheet:  {out / SHEET}")


def _findings(report: dict[str, Any]) -> list[tuple[str, int, str]]:
    """Sum up each kind of finding that there is."""
    named = {
        "unreadable": report["unreadable"],
        "duplicate": [
            " = ".join(group["names"]) + (f" with labels {_words(group['labels'])}" if len(group["labels"]) > 1 else "")
            for group in report["duplicates"]
        ],
        "odd size": [
            f"{odd['name']} ({odd['size']} {odd['value']:.6g}; the median is {odd['median']:.6g})"
            for odd in report["odd_sized"]
        ],
        "flawed": [f"{each['name']} {each['reason']}" for each in report["flawed"]],
        "unlabelled": report["unlabelled"],
    }
    counts = {kind: len(lines) for kind, lines in named.items()}
    counts["duplicate"] = sum(len(group["names"]) - 1 for group in report["duplicates"])
    counts["odd size"] = len({odd["name"] for odd in report["odd_sized"]})
    return [(kind, counts[kind], _some(lines)) for kind, lines in named.items() if lines]


def _some(lines: Sequence[str]) -> str:
    more = [f"{len(lines) - NAMED} more"] if len(lines) > NAMED else []
    return "; ".join([*lines[:NAMED], *more])


def _words(labels: Sequence[str | None]) -> str:
    return " and ".join("none" if label is None else f"'{label}'" for label in labels)


def _show_classes(classes: dict[str, int], readable: int) -> None:
    rows = [(label, str(count), f"{count / readable:.1%}") for label, count in classes.items()]
    half = LISTED // 2
    if len(rows) > LISTED:
        rows = [*rows[:half], (f"... {len(rows) - LISTED} more", "", ""), *rows[-half:]]
    console.table(("CLASS", "ITEMS", "SHARE"), rows)
    most, least = max(classes.values()), min(classes.values())
    if most > UNEVEN * least:
        times = f"{most / least:.3g} times as many as the smallest"
        click.echo(f"the largest class has {times}; data.balance=class evens it out")

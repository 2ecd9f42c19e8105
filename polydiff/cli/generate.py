"""`polydiff generate`: samples of a trained model, as files."""

from __future__ import annotations

from collections import Counter
from typing import Any

import click

from polydiff.cli import console
from polydiff.cli.counting import counting
from polydiff.cli.options import SEED, Positive, Whole, computing
from polydiff.cli.wishes import read_prompts, read_wishes
from polydiff.errors import UsageError

FEW = 8
"""Of more different numbers than that, only the range is told."""


@click.command()
@click.argument("model")
@click.option("-n", "--count", type=Whole(1), default=16, show_default=True, help="Samples to make, in all.")
@click.option(
    "--label",
    multiple=True,
    metavar="LABELS",
    help="Class of the samples. Several (3,5 or --label 3 --label 5) are taken in turn; all is every class in turn.",
)
@click.option(
    "--prompt",
    "prompts",
    multiple=True,
    metavar="TEXT",
    help="What the samples are to be of, in words; a part (in brackets:1.3) weighs more. Several are taken in turn.",
)
@click.option("--prompts-file", metavar="FILE", help="Prompts, a line each, after those of --prompt.")
@click.option("--negative", metavar="TEXT", help="What guidance is to lead away from, in words.")
@click.option(
    "--condition",
    "conditions",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other condition of the model; the values of several are taken in turn.",
)
@click.option(
    "--guidance",
    multiple=True,
    metavar="GUIDANCE",
    help="Scale of classifier-free guidance, 1 is plain; or one for each condition, caption=4,label=1.5; or a name or "
    "'{name: apg, scale: 4}', several from the innermost to the outermost, or none, instead of the recipe's.",
)
@click.option("--sampler", metavar="SAMPLER", help="A name or '{name: ddim, eta: 0.5}', instead of the recipe's.")
@click.option("--steps", type=Whole(1), help="Instead of the recipe's.")
@click.option("--grid", metavar="GRID", help="Time grid, a name or '{name: karras, rho: 5}', instead of the recipe's.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the set.")
@click.option(
    "--first",
    type=Whole(0),
    default=0,
    show_default=True,
    help="Number of the first sample: extends a set, or makes a part of it again.",
)
@click.option(
    "--size", metavar="SIZE", help="As the modality writes sizes (96x64, ...); that of the training data by default."
)
@click.option("--duration", type=Positive(), metavar="SECONDS", help="Of sounds and whatever else has one, as --size.")
@click.option("--batch", type=Whole(1), default=64, show_default=True, help="Samples computed at a time.")
@click.option(
    "--exact",
    is_flag=True,
    help="Files the same to the byte for any --batch, --first, -n and --devices: always 16 at a time on one thread.",
)
@click.option("--trajectory", is_flag=True, help="Also write how each sample came about.")
@click.option("--normalize", is_flag=True, help="Bring each sample to the level that files are for (sounds: the peak).")
@click.option("--format", "file_kind", metavar="KIND", help="File kind; the modality's first by default.")
@click.option("--devices", type=Whole(1), default=1, show_default=True, help="GPUs, or processes on a CPU.")
@computing("cpu", "cuda")
@click.option("--out", required=True, metavar="FOLDER", help="New, or of earlier samples that these extend.")
@click.option("--overwrite", is_flag=True, help="Replace samples that an earlier generation wrote.")
@click.option("--json", "as_json", is_flag=True, help="Write what has been made as JSON.")
def generate(
    model: str,
    label: tuple[str, ...],
    prompts: tuple[str, ...],
    prompts_file: str | None,
    conditions: tuple[str, ...],
    size: str | None,
    duration: float | None,
    guidance: tuple[str, ...],
    sampler: str | None,
    grid: str | None,
    out: str,
    devices: int,
    accelerator: str,
    overwrite: bool,
    as_json: bool,
    **request: Any,
) -> None:
    """Generate samples of MODEL, a model folder or a run folder.

    Sample i of a seed is the same whatever else is made with it. The folder gets a file for each sample,
    samples.jsonl with how each was made, and sheet.png with the first hundred at a glance.
    """
    wishes = read_wishes(label, conditions)
    request["prompts"] = read_prompts(prompts, prompts_file)
    if duration is not None:
        if size is not None:
            raise UsageError("--duration and --size both say how large samples are: leave one of them away")
        size = f"{duration}s"
    from polydiff.generation.generate import generate as run  # noqa: PLC0415 (it imports torch)
    from polydiff.generation.output import SHEET  # noqa: PLC0415
    from polydiff.generation.request import Request  # noqa: PLC0415
    from polydiff.recipe.written import read_component, read_guidance  # noqa: PLC0415

    request["guidance"] = read_guidance(guidance, "--guidance")
    request["sampler"] = None if sampler is None else read_component(sampler, "--sampler")
    request["grid"] = None if grid is None else read_component(grid, "--grid")

    with counting(request["count"], "samples") as advance:
        records = run(
            model,
            Request(conditions=wishes, size=size, **request),
            out,
            devices=devices,
            accelerator=accelerator,
            overwrite=overwrite,
            on_batch=advance,
        )
    if as_json:
        console.as_json({"out": out, "sheet": SHEET, "samples": records})
    else:
        samples = "1 sample" if len(records) == 1 else f"{len(records)} samples"
        click.echo(f"{samples} in {out}; {SHEET} there shows them at a glance")
        _tell_facts(records)
    _tell_unread(records)
    _tell_lost(records)


def _tell_facts(records: list[dict[str, Any]]) -> None:
    """Sum up what is to be known of the files: a line for each fact, with how many files it is true of."""
    facts = [record["facts"] for record in records if "facts" in record]
    for name in facts[0] if facts else ():
        values = [each[name] for each in facts]
        numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
        if len(set(numbers)) > FEW:
            click.echo(f"{name}: {min(numbers)} to {max(numbers)}")
            continue
        counts = Counter(("no", "yes")[value] if isinstance(value, bool) else str(value) for value in values)
        click.echo(f"{name}: " + ", ".join(f"{value} ({count})" for value, count in counts.most_common()))


def _tell_unread(records: list[dict[str, Any]]) -> None:
    """Say what of the prompts was too long to be read."""
    left_out = dict.fromkeys(text for record in records for text in record.get("unread", {}).values())
    for text in left_out:
        click.echo(f"note: a text is longer than the model reads; this is left out: {text}", err=True)


def _tell_lost(records: list[dict[str, Any]]) -> None:
    """Say what did not go into the files."""
    lost = [record for record in records if "lost" in record]
    if lost:
        files = "1 file does" if len(lost) == 1 else f"{len(lost)} files do"
        first = f"{lost[0]['file']} {lost[0]['lost']}"
        click.echo(f"note: {files} not hold all of a sample: {first}. --normalize or another --format may", err=True)

"""`polydiff grid`: prompts against scales of guidance, as one sheet."""

from __future__ import annotations

from pathlib import Path

import click

from polydiff.cli.counting import counting
from polydiff.cli.options import SEED, Whole, computing
from polydiff.cli.wishes import read_prompts, read_wishes
from polydiff.errors import UsageError


@click.command()
@click.argument("model")
@click.option("--prompts", multiple=True, metavar="TEXT", help="A prompt: one row. Can be said several times.")
@click.option("--prompts-file", metavar="FILE", help="Prompts, a line each, after those of --prompts.")
@click.option(
    "--guidance", default="1,2,4", show_default=True, metavar="SCALES", help="Scales of guidance: one column each."
)
@click.option("--negative", metavar="TEXT", help="What guidance is to lead away from, in words.")
@click.option("--label", multiple=True, metavar="LABEL", help="Class of all samples.")
@click.option("--condition", "conditions", multiple=True, metavar="NAME=VALUE", help="Any other condition, of all.")
@click.option("-n", "--samples", type=Whole(1), default=1, show_default=True, help="Rows of each prompt: other noise.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the noise.")
@click.option("--first", type=Whole(0), default=0, show_default=True, help="Number of the first sample.")
@click.option("--size", metavar="SIZE", help="As for generate.")
@click.option("--sampler", metavar="SAMPLER", help="As for generate.")
@click.option("--steps", type=Whole(1), help="Instead of the recipe's.")
@click.option("--grid", metavar="GRID", help="Time grid, as for generate.")
@click.option("--batch", type=Whole(1), default=64, show_default=True, help="Samples computed at a time.")
@computing("cpu", "cuda")
@click.option("--out", required=True, metavar="FILE", help="The sheet, a PNG.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def grid(
    model: str,
    prompts: tuple[str, ...],
    prompts_file: str | None,
    guidance: str,
    label: tuple[str, ...],
    conditions: tuple[str, ...],
    sampler: str | None,
    grid: str | None,
    accelerator: str,
    out: str,
    overwrite: bool,
    **wanted: str | int | None,
) -> None:
    """Draw prompts against scales of guidance for MODEL, a model folder or a run folder.

    All cells of a row start from the same noise, and so do all prompts.
    """
    file = Path(out)
    if file.exists() and not overwrite:
        raise UsageError(f"{out} exists: choose another --out, or --overwrite it")
    asked = {"prompts": read_prompts(prompts, prompts_file), "scales": _scales(guidance)}
    if not asked["prompts"]:
        raise UsageError("a grid needs a prompt: --prompts TEXT or --prompts-file FILE")
    from polydiff.generation.devices import resolve  # noqa: PLC0415 (it imports torch)
    from polydiff.generation.grid import Grid, draw_grid  # noqa: PLC0415
    from polydiff.generation.output import write  # noqa: PLC0415
    from polydiff.model import load  # noqa: PLC0415
    from polydiff.recipe.written import read_component  # noqa: PLC0415

    how = {
        "sampler": None if sampler is None else read_component(sampler, "--sampler"),
        "grid": None if grid is None else read_component(grid, "--grid"),
    }
    sheet = Grid(conditions=read_wishes(label, conditions), **asked, **how, **wanted)  # type: ignore[arg-type]
    (device,) = resolve(accelerator, 1)
    loaded = load(model).to(device)
    with counting(len(sheet.rows) * len(sheet.scales), "samples") as advance:
        drawn = draw_grid(loaded, sheet, advance)
    write(file, drawn)
    click.echo(f"{len(sheet.rows)} x {len(sheet.scales)} samples in {out}")


def _scales(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise UsageError(f"--guidance takes scales with commas between them, such as 1,2,4, not '{text}'") from None

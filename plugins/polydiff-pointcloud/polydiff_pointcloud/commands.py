"""`polydiff complete` and `polydiff upsample`: clouds of which part is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from polydiff.cli import console
from polydiff.cli.counting import counting
from polydiff.cli.options import SEED, Whole
from polydiff.cli.wishes import read_wishes

_Command = Callable[..., None]


def _options(points: int, count: int) -> Callable[[_Command], _Command]:
    """Give a command the options that both have."""
    options = (
        click.argument("model"),
        click.argument("cloud", type=click.Path(path_type=Path)),
        click.option("-n", "--count", type=Whole(1), default=count, show_default=True, help="Clouds to make."),
        click.option("--points", type=Whole(2), default=points, show_default=True, help="Of each, the given included."),
        click.option(
            "--keep",
            type=Whole(1),
            help="So many points are given at most, drawn at random; half of --points by default.",
        ),
        click.option(
            "--place",
            type=click.Choice(["none", "unit-sphere", "unit-box"]),
            default="none",
            show_default=True,
            help="Move and scale what is given, as the training data were; 'none' takes it as it lies.",
        ),
        click.option("--label", multiple=True, metavar="LABELS", help="Class of the clouds, as of `generate`."),
        click.option("--condition", "conditions", multiple=True, metavar="NAME=VALUE", help="As of `generate`."),
        click.option("--guidance", multiple=True, metavar="GUIDANCE", help="As of `generate`."),
        click.option(
            "--sampler",
            metavar="SAMPLER",
            help="Instead of the recipe's; '{name: restart, repeats: 8}' fits the rest to what is given best.",
        ),
        click.option("--steps", type=Whole(1), help="Instead of the recipe's."),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Of the set."),
        click.option("--format", "file_kind", metavar="KIND", help="File kind, as of `generate`; ply by default."),
        click.option("--out", required=True, metavar="FOLDER", help="New, or of earlier clouds."),
        click.option("--overwrite", is_flag=True, help="Replace clouds that were written earlier."),
        click.option("--json", "as_json", is_flag=True, help="Write what has been made as JSON."),
    )

    def decorate(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.command()
@_options(points=2048, count=4)
def complete(**options: Any) -> None:
    """Generate clouds of MODEL that contain CLOUD: part of a shape, as points or as a mesh.

    What is given stays where it is; the rest is generated, differently each time. CLOUD has to lie where the model's
    own shapes do.
    """
    _run(**options)


@click.command()
@_options(points=4096, count=1)
def upsample(**options: Any) -> None:
    """Generate more points of CLOUD, a whole shape of few points, by MODEL.

    The given points stay where they are, and others come to lie between them. A model with the conditioner `cloud` is
    told of them by tokens, too.
    """
    _run(**options, whole=True)


def _run(
    model: str,
    cloud: Path,
    points: int,
    keep: int | None,
    place: Any,
    label: tuple[str, ...],
    conditions: tuple[str, ...],
    guidance: tuple[str, ...],
    sampler: str | None,
    out: str,
    overwrite: bool,
    as_json: bool,
    whole: bool = False,
    **asked: Any,
) -> None:
    """Generate what a command asks for; `whole` says that the given points are of all of the shape."""
    wishes = read_wishes(label, conditions)
    from polydiff.generation.generate import generate  # noqa: PLC0415 (it imports torch)
    from polydiff.generation.output import SHEET  # noqa: PLC0415
    from polydiff.model import load  # noqa: PLC0415
    from polydiff.recipe.written import read_component, read_guidance  # noqa: PLC0415
    from polydiff_pointcloud.completion import given, request, tokens  # noqa: PLC0415
    from polydiff_pointcloud.reading.options import Options  # noqa: PLC0415

    known = given(cloud, Options(points=points // 2 if keep is None else keep, normalize=place), points)
    asked["guidance"] = read_guidance(guidance, "--guidance")
    asked["sampler"] = None if sampler is None else read_component(sampler, "--sampler")
    trained = load(model)
    told = tokens(trained, cloud) if whole else {}
    wanted = request(trained, known, points, {"file": str(cloud)}, conditions=told | wishes, **asked)
    with counting(wanted.count, "clouds") as advance:
        records = generate(model, wanted, out, overwrite=overwrite, on_batch=advance)
    if as_json:
        console.as_json({"out": out, "sheet": SHEET, "given": len(known), "samples": records})
    else:
        clouds = "1 cloud" if len(records) == 1 else f"{len(records)} clouds"
        click.echo(f"{clouds} in {out}, with {len(known)} of {points} points from {cloud}; {SHEET} there shows them")

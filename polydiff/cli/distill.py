"""`polydiff distill`: a model that needs a few evaluations from one that needs many."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polydiff.cli import console
from polydiff.cli.errors import INTERRUPTED
from polydiff.cli.options import Positive, Whole, machines
from polydiff.errors import UsageError
from polydiff.plugins.host import host

if TYPE_CHECKING:
    from polydiff.distillation.ladder import Ladder
    from polydiff.distillation.receipt import Receipt, Row
    from polydiff.distillation.request import Request
    from polydiff.training.processes import Processes
    from polydiff.training.record import Run

RUNS = Path("runs")
"""Where ladders go when nothing else is said."""


@click.command()
@click.argument("model")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--steps", type=Whole(1), default=4, show_default=True, help="Evaluations of the last student.")
@click.option(
    "--method",
    default="progressive",
    show_default=True,
    metavar="METHOD",
    help="How students learn: progressive, match, consistency, flow-map, or a name with options, "
    "'{name: consistency, pairs: data}'.",
)
@click.option(
    "--from",
    "start",
    type=Whole(1),
    help="Steps of the first student's teacher; by default its usual, or the next more that halving leads down from.",
)
@click.option(
    "--guidance",
    metavar="SCALE|MIN:MAX",
    help="Scale of classifier-free guidance that is built in, the recipe's by default, 1 is plain; with a range, the "
    "student is told the scale when it generates.",
)
@click.option("--max-minutes", type=Positive(), metavar="MINUTES", help="Of training, all students together.")
@click.option("--rung-steps", type=Whole(1), help="Optimiser steps of each student; half of the recipe's by default.")
@click.option(
    "--limit",
    type=Positive(),
    metavar="TIMES",
    default=1.3,
    show_default=True,
    help="Stop at a student that is so many times as far from real data as the teacher; the one before it is kept.",
)
@click.option("--samples", type=Whole(4), default=200, show_default=True, help="Samples by which each model is judged.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Of the ladder; runs/NAME-N-steps if not said."
)
@click.option("--resume", is_flag=True, help="Go on with the ladder in the folder MODEL, exactly where it stopped.")
@machines
@click.option("--json", "as_json", is_flag=True, help="Write the receipt as JSON.")
@click.pass_context
def distill(
    context: click.Context,
    /,
    model: str,
    overrides: tuple[str, ...],
    guidance: str | None,
    out: Path | None,
    resume: bool,
    devices: int | None,
    nodes: int | None,
    accelerator: str,
    as_json: bool,
    **asked: Any,
) -> int:
    """Make a student of MODEL, a run folder, that needs a few evaluations for a sample.

    On its way down there is a student at each half of the steps before; each is an ordinary run in FOLDER/rungs. In the
    end FOLDER is a model, with a receipt of what each rung cost in quality.

    KEY=VALUE changes the recipe that students train by (train.batch=64), or how the teacher is sampled (sample.grid=t).
    """
    from polydiff.distillation.ladder import Ladder  # noqa: PLC0415 (it imports torch)
    from polydiff.distillation.plan import plan  # noqa: PLC0415
    from polydiff.distillation.receipt import Receipt, read  # noqa: PLC0415
    from polydiff.distillation.request import Request  # noqa: PLC0415
    from polydiff.training.processes import launch  # noqa: PLC0415

    if resume:
        _check_resumed(context)
        receipt = read(Path(model))
    else:
        request = Request(
            model=str(Path(model).resolve()), guidance=_read_guidance(guidance), overrides=overrides, **asked
        )
        receipt = Receipt(request)
        if out is not None:
            _check_new(out)
    made = plan(receipt.request)
    precision = made.recipe.train.precision
    processes = launch(accelerator=accelerator, devices=devices, nodes=nodes, precision=precision)
    folder = Path(model) if resume else processes.on_first(lambda: _new_folder(out, receipt.request))
    ladder = Ladder(made, folder, receipt, processes, host(), lambda run: _watching(run, processes))
    return _climb(ladder, as_json=as_json)


def _climb(ladder: Ladder, *, as_json: bool) -> int:
    from polydiff.training.processes import FailedTogetherError  # noqa: PLC0415 (it imports torch)

    try:
        reason = ladder()
    except FailedTogetherError:
        return 0  # the first process tells
    finally:
        ladder.processes.close()
    if not ladder.processes.first:
        return 0
    if reason == "interrupted":
        click.echo(f"stopped; to go on: polydiff distill {ladder.folder} --resume", err=True)
        return INTERRUPTED
    _draw(ladder)
    if as_json:
        console.as_json(ladder.receipt.as_dict())
    else:
        _show(ladder.receipt)
    return _conclude(ladder)


def _read_guidance(text: str | None) -> float | tuple[float, float] | None:
    if text is None:
        return None
    try:
        scales = [float(part) for part in text.split(":")]
    except ValueError:
        scales = []
    if len(scales) not in {1, 2}:
        raise UsageError(f"--guidance takes a scale, such as 1.5, or a range of it, such as 1:4; not {text!r}")
    return scales[0] if len(scales) == 1 else (scales[0], scales[1])


def _check_resumed(context: click.Context) -> None:
    """Refuse what would make it another ladder."""
    free = {"model", "resume", "devices", "nodes", "accelerator", "as_json"}
    source = click.core.ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        if parameter.name not in free and context.get_parameter_source(str(parameter.name)) is source:
            raise UsageError(f"--resume goes on with the ladder as it was begun; leave {parameter.opts[0]} away")


def _check_new(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        begun = (out / "receipt.json").is_file()
        hint = f"polydiff distill {out} --resume goes on with it" if begun else "it is no ladder"
        raise UsageError(f"{out} exists; {hint}. Choose another --out for a new ladder")


def _new_folder(out: Path | None, request: Request) -> Path:
    if out is not None:
        _check_new(out)
        return out
    name = f"{request.folder.resolve().name}-{request.steps}-steps"
    return next(folder for i in count(1) if not (folder := RUNS / (name if i == 1 else f"{name}-{i}")).exists())


def _watching(run: Run, processes: Processes) -> Any:
    from polydiff.cli.progress import watching  # noqa: PLC0415 (rich is slow to import)

    if processes.first:
        click.echo(f"rung {run.folder.name}", err=True)
    return watching(host(), run, shown=processes.first)


def _draw(ladder: Ladder) -> None:
    from polydiff.distillation.plot import plot  # noqa: PLC0415 (it imports torch)
    from polydiff.files import write  # noqa: PLC0415
    from polydiff.tuning.plot import check_plots  # noqa: PLC0415

    try:
        check_plots()
    except UsageError as error:
        click.echo(f"note: no picture of the receipt: {error}", err=True)
        return
    write(ladder.folder / "receipt.png", plot(ladder.receipt))


def _show(receipt: Receipt) -> None:
    assert receipt.teacher is not None
    names = list(receipt.teacher.figures)
    header = ("", "SAMPLER", "STEPS", "EVALUATIONS", "MS A SAMPLE", *map(str.upper, names), "FROM TEACHER", "")
    half = ["real data, half and half", *[""] * 4, *(f"{receipt.real[name]:.3g}" for name in names), "", ""]
    rows = [row for row in (receipt.teacher, receipt.untaught, *receipt.rungs) if row is not None]
    console.table(header, [half, *(_cells(row, names, receipt) for row in rows)])


def _cells(row: Row, names: Sequence[str], receipt: Receipt) -> list[str]:
    verdict = f"beyond {receipt.request.limit:g} times" if row.beyond else "kept" if row is receipt.kept else ""
    return [
        row.name,
        row.sampler,
        str(row.steps),
        f"{row.evaluations:g}",
        f"{1000 * row.seconds:.1f}",
        *(f"{row.figures[name]:.3g}{'!' * (name in row.beyond)}" for name in names),
        f"{row.distance:.3g}",
        verdict,
    ]


def _conclude(ladder: Ladder) -> int:
    receipt, kept = ladder.receipt, ladder.receipt.kept
    assert receipt.teacher is not None
    if receipt.stopped:
        last = receipt.rungs[-1]
        click.echo(
            f"{last.name} is more than {receipt.request.limit:g} times as far from real data as the teacher by "
            f"{', '.join(last.beyond)}: the ladder ends there",
            err=True,
        )
    if kept is None:
        click.echo("no student is good enough to be kept: try more --rung-steps, or another --limit", err=True)
        return 1
    times = receipt.teacher.evaluations / kept.evaluations
    click.echo(f"model: {ladder.folder}, {kept.evaluations:g} evaluations a sample, {times:.3g} times fewer", err=True)
    labels = " --label all" if "label" in ladder.plan.teacher.conditioners else ""
    click.echo(f"try:   polydiff generate {ladder.folder} -n 16{labels} --out {ladder.folder / 'samples'}", err=True)
    return 0

"""`polydiff train`: a model from a recipe and data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from polydiff.cli.errors import INTERRUPTED
from polydiff.cli.options import machines
from polydiff.errors import DataError, UsageError, printable
from polydiff.plugins.host import host
from polydiff.plugins.specs import PresetSpec

if TYPE_CHECKING:
    from polydiff.recipe.schema import AnyRecipe, TrainConfig
    from polydiff.training.assemble import AnyParts
    from polydiff.training.processes import Processes
    from polydiff.training.record import Run
    from polydiff.training.state import Progress
    from polydiff.training.train import Outcome

RUNS = Path("runs")
"""Where runs go when nothing else is said."""

LISTED = 10
"""Unreadable items that are named before training."""


@click.command()
@click.argument("recipe")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Of the run; runs/NAME by default.")
@click.option("--resume", is_flag=True, help="Go on with the run folder RECIPE, exactly where it stopped.")
@click.option("--accept-changes", is_flag=True, help="With --resume: go on although the recipe makes it another run.")
@machines
@click.option(
    "--strategy",
    type=click.Choice(["auto", "ddp", "fsdp"]),
    default="auto",
    show_default=True,
    help="ddp gives each device the whole model, fsdp a share of it; auto is ddp on several.",
)
@click.option("--precision", type=click.Choice(["32-true", "bf16-mixed", "16-mixed"]), help="Instead of the recipe's.")
@click.option("--dry-run", is_flag=True, help="Build everything and make a few steps, but write nothing.")
@click.option("--print-recipe", is_flag=True, help="Write the recipe with everything resolved, and stop.")
def train(
    recipe: str,
    overrides: tuple[str, ...],
    out: Path | None,
    resume: bool,
    accept_changes: bool,
    devices: int | None,
    nodes: int | None,
    accelerator: str,
    strategy: str,
    precision: str | None,
    dry_run: bool,
    print_recipe: bool,
) -> int:
    """Train a model as RECIPE says: a preset (see `polydiff presets`), a YAML file or, with --resume, a run folder.

    KEY=VALUE changes the recipe: train.steps=5000 backbone.channels=64
    """
    from polydiff.training.assemble import assemble  # noqa: PLC0415 (it imports torch)
    from polydiff.training.layout import layout  # noqa: PLC0415
    from polydiff.training.order import check_shares  # noqa: PLC0415
    from polydiff.training.processes import launch  # noqa: PLC0415
    from polydiff.training.resume import check_changes  # noqa: PLC0415

    if accept_changes and not resume:
        raise UsageError("--accept-changes goes with --resume")
    if out is not None and not resume:
        _check_new(out)
    overrides = (*overrides, f"train.precision={precision}") if precision else overrides
    parts = _assembled(_resumed(recipe, out, overrides)) if resume else assemble(_new(recipe, overrides))
    accepted = check_changes(Path(recipe), parts.recipe, accept=accept_changes) if resume else []
    if print_recipe:
        _print(parts.recipe)
        return 0
    _name_unreadable(parts)
    if dry_run:
        devices = nodes = _alone()
    check_shares(parts.recipe.train, layout(devices, nodes).count)
    processes = launch(
        accelerator=accelerator,
        devices=devices,
        nodes=nodes,
        strategy=strategy,
        precision=parts.recipe.train.precision,
    )
    if processes.first:
        _note_long_warmup(parts.recipe.train)
        for change in accepted:
            click.echo(f"note: changed for the rest of the run: {change}", err=True)
    if dry_run:
        _rehearse(parts, processes)
        return 0
    folder = Path(recipe) if resume else None
    return _train(parts, processes, resume=folder, out=out, name=Path(recipe).stem)


def _new(recipe: str, overrides: Sequence[str]) -> AnyRecipe:
    """Find a preset or a file; a file goes before a preset of its very name."""
    from polydiff.recipe.load import load_recipe  # noqa: PLC0415

    path = Path(recipe)
    if (path / "model.yaml").is_file():
        raise UsageError(f"{path} is a model, which is trained already; its run folder can go on: --resume")
    if (path / "recipe.yaml").exists():
        raise UsageError(f"{path} is a run; to go on with it: polydiff train {path} --resume")
    if path.is_dir() and not any(entry.spec.name == recipe for entry in host().all(PresetSpec)):
        raise UsageError(
            f"{path} is a folder and no run; to train on it: polydiff train RECIPE data.source.path={path}"
        )
    is_file = path.is_file() or path.suffix in {".yaml", ".yml"}
    return load_recipe(path if is_file else host().preset(recipe), overrides)


def _resumed(recipe: str, out: Path | None, overrides: Sequence[str]) -> AnyRecipe:
    from polydiff.training.resume import resumed_recipe  # noqa: PLC0415

    if out is not None:
        raise UsageError("--resume goes on in the run's own folder; leave --out away")
    return resumed_recipe(Path(recipe), overrides)


def _alone() -> int:
    """Give the one process that a dry run takes."""
    from polydiff.training.layout import layout  # noqa: PLC0415

    place = layout(None, None)
    if place.count > 1:
        raise UsageError(f"--dry-run takes one process, and {place.starter} has started {place.count}")
    return 1


def _assembled(recipe: AnyRecipe) -> AnyParts:
    """Assemble what a run goes on with; where its source does not find its data, say how to tell where they are."""
    from polydiff.training.assemble import assemble  # noqa: PLC0415

    try:
        return assemble(recipe)
    except DataError as error:
        for option, value in recipe.data.source.options.items():
            places = value if isinstance(value, list) else [value]
            if any(isinstance(place, str) and place and place in str(error) for place in places):
                ways = f"--accept-changes data.source.{option}=PLACE says where they are now"
                raise DataError(f"{error}; the run goes on with the data that it began with: {ways}") from error
        raise


def _print(recipe: AnyRecipe) -> None:
    from polydiff.recipe.dump import dump  # noqa: PLC0415

    click.echo(dump(recipe), nl=False)


def _name_unreadable(parts: AnyParts) -> None:
    lines = parts.examples.source.unreadable
    for line in lines[:LISTED]:
        click.echo(f"left out: {printable(line)}", err=True)
    if len(lines) > LISTED:
        click.echo(f"left out: {len(lines) - LISTED} more", err=True)


def _note_long_warmup(config: TrainConfig) -> None:
    warmup = config.optimizer.warmup
    if warmup > config.steps:
        click.echo(
            f"note: train.optimizer.warmup={warmup} is longer than the run, whose learning rate stays below "
            "train.optimizer.lr",
            err=True,
        )


def _rehearse(parts: AnyParts, processes: Processes) -> None:
    from polydiff.training.rehearsal import rehearse  # noqa: PLC0415

    found, config = rehearse(parts, processes), parts.recipe.train
    minutes = found.seconds_per_step * config.steps / 60
    held = 0 if parts.held_out is None else len(parts.held_out)
    click.echo(
        f"examples    {len(parts.examples)} to train on, {held} held out, {'x'.join(map(str, found.shape))} each"
    )
    click.echo(f"parameters  {found.parameters:,}")
    click.echo(f"first loss  {found.loss:.4f}")
    click.echo(f"time        {found.seconds_per_step:.3f} s a step: {minutes:.1f} min for {config.steps} steps")


def _train(parts: AnyParts, processes: Processes, *, resume: Path | None, out: Path | None, name: str) -> int:
    from polydiff.cli.progress import watching  # noqa: PLC0415
    from polydiff.training.processes import FailedTogetherError  # noqa: PLC0415
    from polydiff.training.record import Run  # noqa: PLC0415
    from polydiff.training.train import train as run_training  # noqa: PLC0415

    try:
        run = Run(resume or processes.on_first(lambda: _new_folder(out, name)), parts.recipe)
        with watching(host(), run, shown=processes.first):
            outcome = run_training(parts, run, processes, host=host(), resume=resume is not None)
    except FailedTogetherError:
        return 0  # the first process tells
    finally:
        processes.close()
    if not processes.first:
        return 0
    _conclude(run, outcome)
    return INTERRUPTED if outcome.reason == "interrupted" else 0


def _new_folder(out: Path | None, name: str) -> Path:
    """Choose the run's folder; `open_folder` makes it."""
    if out is None:
        return next(folder for i in count(1) if not (folder := RUNS / (name if i == 1 else f"{name}-{i}")).exists())
    _check_new(out)
    return out


def _check_new(out: Path) -> None:
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        hint = f"polydiff train {out} --resume goes on with it" if (out / "recipe.yaml").exists() else "it is no run"
        if (out / "recipe.yaml").exists() and not any((out / "checkpoints").glob("step-*")):
            hint = "it is a run that stopped before its first checkpoint, and may be removed"
        raise UsageError(f"{out} exists; {hint}. Choose another --out for a new run")


def _conclude(run: Run, outcome: Outcome) -> None:
    """Say how it ended, where the model is and what to do with it."""
    progress = outcome.progress
    minutes, seconds = divmod(round(progress.seconds), 60)
    made = f"{progress.step} steps in {minutes} min {seconds} s"
    if outcome.reason == "interrupted":
        click.echo(f"stopped after {made}; to go on: polydiff train {run.folder} --resume")
        return
    why = {"finished": "done", "time": "out of time", "patience": "no better any more"}[outcome.reason]
    click.echo(f"{why} after {made}{_figures(run, progress)}")
    if progress.skipped:
        click.echo(f"note: {progress.skipped} steps were left out, as their loss or gradient was not finite", err=True)
    from polydiff.recipe.schema import CodecRecipe, PairRecipe  # noqa: PLC0415 (they import pydantic)

    if isinstance(run.recipe, CodecRecipe):
        click.echo(f"codec: {run.model}")
        click.echo(f"use:   a diffusion recipe with codec: {{name: latent, of: {run.folder}}}")
        return
    if isinstance(run.recipe, PairRecipe):
        click.echo(f"pair: {run.model}")
        click.echo(f"try:  polydiff embed {run.folder} FILES --out vectors.npz")
        return
    labels = " --label all" if "label" in run.recipe.conditions else ""
    click.echo(f"model: {run.model}")
    click.echo(f"try:   polydiff generate {run.folder} -n 16{labels} --out {run.folder / 'samples'}")


def _figures(run: Run, progress: Progress) -> str:
    """Say what the validation of the model that is kept has measured."""
    figures, which = progress.figures, ""
    if run.recipe.train.keeps_best:
        figures, which = progress.best, f" at step {progress.best_step}, the best"
    return f": validation loss {figures['loss']:.4f} ± {figures['ci']:.4f}{which}" if figures else ""

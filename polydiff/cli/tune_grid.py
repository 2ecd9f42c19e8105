"""`polydiff tune-grid`: the time grid that suits a model, a sampler and a number of steps."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import click

from polydiff.cli import console
from polydiff.cli.options import Whole
from polydiff.cli.posing import Samples, describe, problem_options
from polydiff.errors import UsageError
from polydiff.plugins.host import host
from polydiff.plugins.specs import SamplerSpec

if TYPE_CHECKING:
    from polydiff.recipe.component import Component
    from polydiff.recipe.schema import SampleConfig
    from polydiff.tuning.problem import Problem
    from polydiff.tuning.tune import Tuned


@click.command()
@click.argument("model")
@click.option("--sampler", metavar="SAMPLER", help="A name or '{name: unipc, order: 3}'; the recipe's by default.")
@click.option("--steps", type=Whole(2), help="The recipe's by default.")
@problem_options(count=64)
@click.option("--json", "as_json", is_flag=True, help="Write what has been found as JSON.")
def tune_grid(model: str, sampler: str | None, steps: int | None, as_json: bool, **samples: Any) -> None:
    """Tune the time grid of MODEL, a model folder or a run folder, for one sampler and number of steps.

    The search starts from the best grid there is by name and moves the times so that samples end nearer to converged
    trajectories. What it finds is kept only where it is better than every grid by name on noise that it has not seen;
    then `polydiff generate --grid tuned` uses it.
    """
    from polydiff.model.tuned import TunedGrid, add, read  # noqa: PLC0415 (imports torch)
    from polydiff.recipe.build import build  # noqa: PLC0415
    from polydiff.recipe.written import read_component  # noqa: PLC0415
    from polydiff.tuning.tune import tune  # noqa: PLC0415

    options = Samples(**samples)
    loaded = options.load(model)
    named = None if sampler is None else read_component(sampler, "--sampler")
    chosen = loaded.settings(sampler=named, steps=steps)
    _check(chosen.sampler)
    assert loaded.folder is not None
    assert loaded.sha256 is not None
    read(loaded.folder)  # what is damaged is refused before the search, not after
    method = build(SamplerSpec, chosen.sampler)
    search, held_out = (options.pose(loaded, range(n, n + options.count)) for n in (0, options.count))
    tuned = tune(search, held_out, method, chosen.steps, on_round=_tell)
    told = _record(tuned, held_out, options)
    if tuned.wins:
        times = tuple(tuned.times.tolist())
        add(loaded.folder, TunedGrid(sampler=chosen.sampler.flat(), times=times, model=loaded.sha256, figures=told))
    if as_json:
        console.as_json(
            {"kept": tuned.wins, "sampler": chosen.sampler.flat(), "times": tuned.times.tolist(), "figures": told}
        )
    else:
        _show(tuned, model, chosen)


def _check(sampler: Component) -> None:
    """Refuse samplers whose end no time grid brings nearer."""
    spec = host().find(SamplerSpec, sampler.name)
    assert isinstance(spec, SamplerSpec)
    if spec.stochastic or spec.order == 0:
        why = "draws noise" if spec.stochastic else "claims no order"
        raise UsageError(f"sampler '{sampler.name}' {why}: there is no trajectory for its time grid to be tuned to")


def _tell(done: int, error: float) -> None:
    click.echo(f"round {done}: error {error:.4g}", err=True)


def _record(tuned: Tuned, held_out: Problem, options: Samples) -> dict[str, Any]:
    return {
        "error": tuned.error,
        "untuned": {"grid": tuned.untuned.grid.flat(), "error": tuned.untuned.error},
        "search": {"error": tuned.found, "start": tuned.start.grid.flat(), "start_error": tuned.start.error},
        "reference": held_out.record(),
        **options.record(),
    }


def _show(tuned: Tuned, model: str, chosen: SampleConfig) -> None:
    name, steps = describe(chosen.sampler.flat()), chosen.steps
    untuned = f"{describe(tuned.untuned.grid.flat())}, the best by name, has {tuned.untuned.error:.4g}"
    click.echo(f"{name} in {steps} steps, on noise not seen: error {tuned.error:.4g} where {untuned}")
    if tuned.wins:
        sampler = shlex.quote(json.dumps(chosen.sampler.flat()) if chosen.sampler.options else chosen.sampler.name)
        click.echo(f"try: polydiff generate {model} --sampler {sampler} --steps {steps} --grid tuned --out out")
    else:
        click.echo("not kept: it is no better")

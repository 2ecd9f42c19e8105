"""`polydiff bench`: how good and how fast what there is to choose from is, on one's own model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polydiff import files
from polydiff.cli import console
from polydiff.cli.counting import counting
from polydiff.cli.options import Whole
from polydiff.cli.posing import Samples, describe, problem_options
from polydiff.errors import UsageError

if TYPE_CHECKING:
    from polydiff.tuning.bench import Measurement


@click.group()
def bench() -> None:
    """Measure what there is to choose from on a model of one's own."""


@bench.command()
@click.argument("model")
@click.option(
    "--nfe",
    "budgets",
    type=Whole(1),
    multiple=True,
    default=(5, 8, 10, 20),
    show_default=True,
    help="Evaluations of the denoiser to allow; again for more.",
)
@click.option("--sampler", "names", multiple=True, metavar="NAME", help="Only this one; again for more.")
@problem_options(count=16)
@click.option("--plot", "picture", metavar="FILE", help="Draw the curves, as a PNG; takes the extra `plots`.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, with every measurement.")
def samplers(
    model: str, budgets: tuple[int, ...], names: tuple[str, ...], picture: str | None, as_json: bool, **samples: Any
) -> None:
    """Compare every sampler on every time grid for MODEL, a model folder or a run folder.

    All start from the same noise. The error is how far from converged trajectories they end: the root mean square over
    all numbers of all samples. Samplers that draw noise have no such trajectories and are left out.
    """
    from polydiff.tuning.bench import measure, plan  # noqa: PLC0415 (imports torch)
    from polydiff.tuning.candidates import candidates  # noqa: PLC0415
    from polydiff.tuning.plot import check_plots, plot  # noqa: PLC0415

    if picture is not None:
        check_plots()
        files.check_place(Path(picture))
    found, left_out = candidates(names)
    if not found:
        raise UsageError("; ".join(f"sampler '{name}' is left out: {reason}" for name, reason in left_out.items()))
    options = Samples(**samples)
    loaded = options.load(model)
    problem = options.pose(loaded, range(options.count))
    tasks = plan(found, loaded.denoiser.schedule, budgets)
    measurements = []
    with counting(len(tasks), "runs") as advance:
        for task in tasks:
            measurements.append(measure(problem, task))
            advance(1)
    told = {
        "model": loaded.sha256,
        **options.record(),
        "reference": problem.record(),
        "left_out": left_out,
        "measurements": [_record(each) for each in measurements],
        "best": _best(measurements, sorted(set(budgets))),
    }
    if as_json:
        console.as_json(told)
    else:
        _show(told)
    if picture is not None:
        files.write(Path(picture), plot(measurements, problem.convergence))


def _record(each: Measurement) -> dict[str, Any]:
    return {
        "sampler": each.sampler.flat(),
        "grid": each.grid and each.grid.flat(),
        "steps": each.steps,
        "evaluations": each.evaluations,
        "error": each.error if math.isfinite(each.error) else None,
        "seconds_a_sample": each.seconds,
    }


def _best(measurements: Sequence[Measurement], budgets: Sequence[int]) -> dict[str, dict[str, Any] | None]:
    """Name the best within each budget."""
    from polydiff.tuning.bench import best  # noqa: PLC0415 (imports torch)

    found = {str(budget): best(measurements, budget) for budget in budgets}
    return {budget: None if each is None else _record(each) for budget, each in found.items()}


def _show(told: dict[str, Any]) -> None:
    budgets = list(map(int, told["best"]))
    header = ("SAMPLER", "GRID", *(f"ERROR IN {budget}" for budget in budgets), "MS A SAMPLE")
    console.table(header, _rows(told["measurements"], budgets))
    reference = told["reference"]
    click.echo(
        f"\nThe error is the RMS distance, after so many evaluations, from where {reference['steps']} steps of"
        f" {reference['method']} end (RMS {reference['rms']:.2g}). Half as many end {reference['convergence']:.1g} from"
        " there: smaller errors say nothing. The time is that of the most evaluations."
    )
    for budget, each in told["best"].items():
        click.echo(f"best within {budget}: {_say(each)}" if each else f"none takes {budget} evaluations or fewer")
    for reason in dict.fromkeys(told["left_out"].values()):
        names = ", ".join(name for name, each in told["left_out"].items() if each == reason)
        click.echo(f"left out: {names}: {reason}")


def _rows(records: Sequence[dict[str, Any]], budgets: Sequence[int]) -> list[list[str]]:
    """Make a row of each sampler on each grid, and one of each tolerance."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for each in records:
        grid = each["grid"]["name"] if each["grid"] else f"its own: {_error(each)} in {each['evaluations']:.1f}"
        groups.setdefault((_sampler(each), grid), []).append(each)
    rows = []
    for names, group in groups.items():
        group.sort(key=lambda each: each["evaluations"])
        within = [[each for each in group if each["evaluations"] <= budget] for budget in budgets]
        errors = [_error(some[-1]) if some else "-" for some in within]
        rows.append([*names, *errors, f"{1000 * group[-1]['seconds_a_sample']:.1f}"])
    return rows


def _sampler(each: dict[str, Any]) -> str:
    """Name a sampler; only tolerances differ from the defaults."""
    sampler = each["sampler"]
    return str(sampler["name"]) if each["grid"] else f"{sampler['name']} (rtol {sampler['rtol']})"


def _error(each: dict[str, Any]) -> str:
    return "not finite" if each["error"] is None else f"{each['error']:.3g}"


def _say(each: dict[str, Any]) -> str:
    how = f" on {describe(each['grid'])} with {each['steps']} steps" if each["grid"] else ""
    return f"{_sampler(each)}{how}: error {each['error']:.3g}, {1000 * each['seconds_a_sample']:.1f} ms a sample"

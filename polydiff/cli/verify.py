"""`polydiff verify`: schedules, samplers and guidances held to what they claim."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from polydiff.cli import console
from polydiff.errors import PolydiffError
from polydiff.plugins.host import host
from polydiff.plugins.records import Registered

if TYPE_CHECKING:
    from polydiff.verification.report import Check, Verdict


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME ...]")
@click.option("--json", "as_json", is_flag=True, help="Write JSON, with every number.")
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """Measure schedules, samplers and guidances against exact answers.

    All that are installed, a plugin's too, or those of the given names. The exit code is 1 when one does not keep what
    it claims.
    """
    from polydiff.verification.verify import chosen  # noqa: PLC0415 (imports torch)

    verdicts = list(_verdicts(chosen(host(), names)))
    if as_json:
        console.as_json({"verdicts": list(map(_record, verdicts))})
    else:
        _show(verdicts)
    if not all(verdict.holds for verdict in verdicts):
        context.exit(PolydiffError.exit_code)


def _verdicts(entries: Sequence[Registered]) -> Iterator[Verdict]:
    """Verify one after another; on a terminal, show how far it is."""
    from rich.console import Console  # noqa: PLC0415 (slow to import)
    from rich.progress import track  # noqa: PLC0415

    from polydiff.verification.verify import verify as held  # noqa: PLC0415 (imports torch)

    screen = Console(stderr=True)
    for entry in track(entries, "verifying", console=screen, transient=True, disable=not sys.stderr.isatty()):
        yield held(host(), entry)


def _show(verdicts: Sequence[Verdict]) -> None:
    """Write a table of each kind, the errors of the samplers and every claim that fails."""
    for kind in dict.fromkeys(verdict.kind for verdict in verdicts):
        some = [verdict for verdict in verdicts if verdict.kind == kind]
        schedules = list(dict.fromkeys(check.on for verdict in some for check in verdict.checks if _is_order(check)))
        header = (kind.upper(), "PLUGIN", *(f"ORDER ON {name}".upper() for name in schedules), "VERDICT")
        console.table(header, [_row(verdict, schedules) for verdict in some])
        click.echo()
    _show_accuracy(verdicts)
    for verdict in verdicts:
        for check in verdict.checks:
            if not check.holds:
                name = f"{verdict.kind} '{verdict.name}' of {verdict.plugin}"
                click.echo(f"{click.style('FAILS', fg='red')} {name}: {check}")
    measured = [verdict for verdict in verdicts if verdict.checks]
    hold = sum(verdict.holds for verdict in measured)
    more = f"; {len(verdicts) - len(measured)} not measured" if len(measured) < len(verdicts) else ""
    click.echo(f"{hold} of {len(measured)} keep what they claim{more}")


def _is_order(check: Check) -> bool:
    return check.claim in {"order", "moments"}


def _row(verdict: Verdict, schedules: Sequence[str]) -> list[str]:
    orders = {check.on: check for check in verdict.checks if _is_order(check)}
    failed = dict.fromkeys(check.claim for check in verdict.checks if not check.holds)
    said = [f"FAILS {', '.join(failed)}"] if failed else ["holds"] if verdict.checks else []
    last = ": ".join(filter(None, (*said, verdict.claims)))
    return [verdict.name, verdict.plugin.name, *(_order(orders.get(name)) for name in schedules), last]


def _order(check: Check | None) -> str:
    if check is None:
        return "-"
    return "?" if check.measured is None else f"{check.measured:.2f}"


def _show_accuracy(verdicts: Sequence[Verdict]) -> None:
    """Write the errors by evaluations."""
    budgets = sorted({each.budget for verdict in verdicts for each in verdict.accuracy})
    rows = []
    for verdict in verdicts:
        for name in dict.fromkeys(each.on for each in verdict.accuracy):
            errors = {each.budget: each.error for each in verdict.accuracy if each.on == name}
            cells = [f"{errors[budget]:.1e}" if budget in errors else "-" for budget in budgets]
            rows.append((verdict.name, name, *cells))
    if rows:
        click.echo("Errors from noise to data by evaluations: of the end of the path; of the variance, with noise")
        console.table(("SAMPLER", "SCHEDULE", *map(str, budgets)), rows)
        click.echo()


def _record(verdict: Verdict) -> dict[str, Any]:
    checks = [
        {
            "claim": check.claim,
            "on": check.on,
            "holds": check.holds,
            "measured": _number(check.measured),
            "message": check.message,
        }
        for check in verdict.checks
    ]
    errors = [
        {"on": each.on, "budget": each.budget, "evaluations": each.evaluations, "error": _number(each.error)}
        for each in verdict.accuracy
    ]
    return {
        "kind": verdict.kind,
        "name": verdict.name,
        "plugin": verdict.plugin.name,
        "holds": verdict.holds if verdict.checks else None,
        "claims": verdict.claims,
        "checks": checks,
        "errors": errors,
    }


def _number(value: float | None) -> float | None:
    """Give a number as JSON knows it."""
    return value if value is not None and math.isfinite(value) else None

"""The measurements as a picture: error by evaluations and by time."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from polydiff.errors import UsageError
from polydiff.tuning.bench import Measurement, pareto

_MARKERS = "os^"


def check_plots() -> None:
    """Refuse where there is nothing to plot with.

    Raises
    ------
    UsageError
        When matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401, PLC0415 (in the extra `plots`)
    except ModuleNotFoundError as error:
        raise UsageError("plots take matplotlib: pip install 'polydiff[plots]'") from error


def plot(measurements: Sequence[Measurement], convergence: float) -> bytes:
    """Draw a curve for each sampler, on its best grid at each number of evaluations, and the Pareto front.

    Parameters
    ----------
    convergence
        Of the reference: errors below say nothing.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (in the extra `plots`)
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter  # noqa: PLC0415

    finite = [each for each in measurements if math.isfinite(each.error)]
    figure = Figure(figsize=(11, 5), layout="constrained")
    by_evaluations, by_time = figure.subplots(1, 2, sharey=True)
    for place, name in enumerate(dict.fromkeys(each.sampler.name for each in finite)):
        curve = _best([each for each in finite if each.sampler.name == name])
        errors = [each.error for each in curve]
        look = {"color": f"C{place % 10}", "marker": _MARKERS[place // 10 % len(_MARKERS)], "markersize": 4}
        by_evaluations.plot([each.evaluations for each in curve], errors, label=name, **look)
        by_time.plot([1000 * each.seconds for each in curve], errors, **look)
    front = pareto(finite)
    costs, errors = [each.evaluations for each in front], [each.error for each in front]
    by_evaluations.plot(costs, errors, color="black", linewidth=5, alpha=0.25, label="best at each budget")
    by_evaluations.axhline(convergence, color="grey", linestyle=":", label="half the reference's steps")
    for axes in (by_evaluations, by_time):
        axes.set(xscale="log", yscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(visible=True, alpha=0.2)
    by_evaluations.set(xlabel="evaluations of the denoiser", ylabel="RMS distance from the reference")
    by_time.set(xlabel="milliseconds a sample")
    figure.legend(*by_evaluations.get_legend_handles_labels(), loc="outside right center", fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _best(measurements: Sequence[Measurement]) -> list[Measurement]:
    """Keep the best grid at each number of evaluations."""
    best: dict[float, Measurement] = {}
    for each in sorted(measurements, key=lambda each: each.error, reverse=True):
        best[each.evaluations] = each
    return [best[evaluations] for evaluations in sorted(best)]

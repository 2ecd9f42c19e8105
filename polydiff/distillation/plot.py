"""The receipt as a picture: each metric, and the distance from the teacher, by evaluations."""

from __future__ import annotations

import io
from typing import Any

from polydiff.distillation.receipt import Receipt, Row


def plot(receipt: Receipt) -> bytes:
    """Draw a curve of the rungs in each panel, beside teacher and real data.

    Returns
    -------
    bytes
        A PNG.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 (in the extra `plots`)

    assert receipt.teacher is not None
    names = [*receipt.teacher.figures, "distance from the teacher"]
    figure = Figure(figsize=(4.2 * len(names), 3.8), layout="constrained")
    costs = sorted({row.evaluations for row in (receipt.teacher, *receipt.rungs)})
    labelled: dict[str, Any] = {}
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        points = [(row.evaluations, _value(row, name)) for row in (receipt.teacher, *receipt.rungs)]
        axes.plot(*zip(*points, strict=True), marker="o", label="students, from the teacher down")
        if receipt.untaught is not None:
            untaught = receipt.untaught
            label = f"teacher, {untaught.sampler} {untaught.steps}"
            axes.plot([untaught.evaluations], [_value(untaught, name)], "x", color="C3", label=label)
        for row in receipt.rungs:
            if name in row.beyond:
                axes.plot([row.evaluations], [_value(row, name)], "o", color="C3", label="beyond the limit")
        if name in receipt.real:
            axes.axhline(receipt.real[name], color="grey", linestyle=":", label="real data, half and half")
        axes.set(xscale="log", xlabel="evaluations a sample", title=name)
        axes.set_xticks(costs, [f"{cost:g}" for cost in costs])
        axes.minorticks_off()
        labelled |= dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
        axes.grid(visible=True, alpha=0.2)
    figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=4, fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return buffer.getvalue()


def _value(row: Row, name: str) -> float:
    return row.figures.get(name, row.distance)

"""What the options of commands share: kinds of numbers, and where to compute."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


class Whole(click.IntRange):
    """A whole number within bounds, N in the help."""

    name = "whole number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Give what stands for the number in the help."""
        return "N"


class Positive(click.FloatRange):
    """A finite number above 0: click's own range lets NaN and infinity pass."""

    name = "number"

    def __init__(self) -> None:
        super().__init__(0, min_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the number."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number:g} is not a finite number.", param, ctx)
        return number


SEED = Whole(0, (1 << 64) - 1)
"""The seed of a set of samples."""


def computing(*kinds: str) -> Callable[[F], F]:
    """Give a command the option of the kind of device, one of `kinds`."""
    return click.option(
        "--accelerator",
        type=click.Choice(["auto", *kinds]),
        default="auto",
        show_default=True,
        help="Where to compute; auto is a GPU where there is one.",
    )


def machines(command: F) -> F:
    """Give a command the options of what a training run is divided among."""
    options = (
        click.option("--devices", type=Whole(1), help="GPUs, or processes on a CPU, of each machine; 1 by default."),
        click.option("--nodes", type=Whole(1), help="Machines; 1 by default, or those of torchrun or SLURM."),
        computing("cpu", "cuda", "mps"),
    )
    for option in reversed(options):
        command = option(command)
    return command

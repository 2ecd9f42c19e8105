"""What `bench samplers` and `tune-grid` share: which samples of a model to compare samplers on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from polydiff.cli.options import SEED, Whole, computing
from polydiff.cli.wishes import read_wishes

if TYPE_CHECKING:
    from polydiff.model import Model
    from polydiff.tuning.problem import Problem

F = TypeVar("F", bound=Callable[..., Any])

LEAST_REFERENCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The options of `problem_options`, as click gives them."""

    count: int
    label: tuple[str, ...]
    conditions: tuple[str, ...]
    guidance: tuple[str, ...]
    seed: int
    reference_steps: int
    accelerator: str

    def load(self, model: str) -> Model:
        """Load a model onto the device that is asked for."""
        from polydiff.generation.devices import resolve  # noqa: PLC0415 (imports torch)
        from polydiff.model import load  # noqa: PLC0415

        (device,) = resolve(self.accelerator, 1)
        return load(model).to(device)

    def pose(self, model: Model, indices: Sequence[int]) -> Problem:
        """Walk the reference trajectories of samples by their numbers."""
        from polydiff.core.noise import Seeds  # noqa: PLC0415 (imports torch)
        from polydiff.recipe.written import read_guidance  # noqa: PLC0415
        from polydiff.tuning.problem import pose  # noqa: PLC0415

        assigned = model.assign(read_wishes(self.label, self.conditions))
        values = {name: [each.value(i) for i in indices] for name, each in assigned.items()}
        guidance = read_guidance(self.guidance, "--guidance")
        click.echo(f"walking {len(indices)} reference trajectories, {self.reference_steps} steps each", err=True)
        return pose(model, Seeds(self.seed, indices), values, guidance=guidance, steps=self.reference_steps)

    def record(self) -> dict[str, Any]:
        """Give the options that say which samples they are, as plain data."""
        return {
            "samples": self.count,
            "seed": self.seed,
            "conditions": read_wishes(self.label, self.conditions),
            "guidance": list(self.guidance),
        }


def problem_options(count: int) -> Callable[[F], F]:
    """Give a command the options of `Samples`, with so many samples by default."""
    options = (
        click.option("-n", "--count", type=Whole(1), default=count, show_default=True, help="Samples, in one batch."),
        click.option("--label", multiple=True, metavar="LABELS", help="Class of the samples, as for generate."),
        click.option("--condition", "conditions", multiple=True, metavar="NAME=VALUE", help="As for generate."),
        click.option("--guidance", multiple=True, metavar="GUIDANCE", help="As for generate."),
        click.option("--seed", type=SEED, default=0, show_default=True, help="Of the noise."),
        click.option(
            "--reference-steps",
            type=Whole(LEAST_REFERENCE),
            default=128,
            show_default=True,
            help="Of the reference trajectories.",
        ),
        computing("cpu", "cuda"),
    )

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def describe(component: Mapping[str, Any]) -> str:
    """Say a flat component in a few characters: "karras (rho 5)"."""
    options = ", ".join(f"{key} {value}" for key, value in component.items() if key != "name")
    return f"{component['name']} ({options})" if options else str(component["name"])

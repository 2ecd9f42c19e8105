"""What was measured of a registered name, and whether it bears out what is claimed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from polydiff.plugins.records import Plugin, in_one_line


@dataclass(frozen=True, slots=True)
class Check:
    """One claim and what was measured of it.

    Attributes
    ----------
    claim
        Which: "order", "states", "seeds", ...
    holds
        Whether the measurement bears it out.
    message
        What was measured and what it is held to, in words.
    on
        The schedule that it was measured on; empty where it is no matter.
    measured
        The number; `None` where there is none.
    """

    claim: str
    holds: bool
    message: str
    on: str = ""
    measured: float | None = None

    def __str__(self) -> str:
        return f"{self.claim}{f' on {self.on}' if self.on else ''}: {self.message}"


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a sampler's result is from the exact one.

    Attributes
    ----------
    on
        The schedule.
    budget, evaluations
        How many evaluations of the denoiser it was allowed, and how many it took on average over the samples.
    error
        Of a deterministic sampler, the median distance from where the probability flow ends; of a stochastic one, the
        variance's, as a share of the variance.
    """

    on: str
    budget: int
    evaluations: float
    error: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that was measured of one name.

    Attributes
    ----------
    kind, name, plugin
        What it is and who registered it.
    claims
        What it says of itself, in words.
    checks
        Of everything that it is held to.
    accuracy
        Of samplers.
    """

    kind: str
    name: str
    plugin: Plugin
    claims: str
    checks: tuple[Check, ...]
    accuracy: tuple[Accuracy, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every claim that was measured does."""
        return all(check.holds for check in self.checks)


def at_most(claim: str, measured: float, limit: float, what: str, on: str = "") -> Check:
    """Hold a number to a limit; one that is no number fails."""
    return Check(claim, measured <= limit, f"{what} {measured:.2g}, at most {limit:.2g} allowed", on, measured)


def guarded(claim: str, measure: Callable[[], Iterable[Check]], on: str = "") -> Iterator[Check]:
    """Make checks; whatever is raised fails the claim and goes no further."""
    try:
        yield from measure()
    except Exception as error:
        yield Check(claim, False, f"raises {in_one_line(error)}", on)

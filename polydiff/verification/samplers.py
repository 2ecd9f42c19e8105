"""What samplers are held to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
from torch import Tensor

from polydiff.core.noise import Seeds
from polydiff.core.oracle import Gaussian
from polydiff.core.schedule import Linear, Schedule
from polydiff.plugins.specs import SamplerSpec
from polydiff.sampling.grid import time_grid
from polydiff.sampling.sampler import Sampler, StepEnd, prior
from polydiff.verification.convergence import ROUNDING, STEPS, convergence, order
from polydiff.verification.known import FAMILIES, even, gaussian, problem
from polydiff.verification.moments import Watching, count_draws, moment_convergence
from polydiff.verification.report import Check, at_most, guarded
from polydiff.verification.states import Deviation, contents, deviation, stochastic_contents

SLACK = 0.2
"""By how much a measured order may fall short of the one claimed."""

EXACT = 1e-9
"""What rounding leaves of an identity, at most."""

MOMENT_STEPS = (40, 80, 160)
_SAMPLES = 12


def claims(spec: SamplerSpec) -> str:
    """Say what a sampler claims."""
    said = f"order {spec.order}" if spec.order else "no order"
    return f"{said}, stochastic" if spec.stochastic else said


def checks(method: Sampler, spec: SamplerSpec) -> Iterator[Check]:
    """Hold a sampler to what its spec says, and to what every sampler is held to."""
    for name in FAMILIES:
        if spec.order:
            convergent = _moments if spec.stochastic else _order
            claim = "moments" if spec.stochastic else "order"
            yield from guarded(claim, partial(convergent, method, spec.order, name), name)
        yield from guarded("states", partial(_states, method, spec, name), name)
    everywhere: dict[str, Callable[[], Iterable[Check]]] = {
        "stochastic": partial(_draws, method, spec.stochastic),
        "evaluations": partial(_evaluations, method),
        "seeds": partial(_seeds, method, spec.stochastic),
        "batches": partial(_batches, method),
        "finite": partial(_finite, method),
        "types": partial(_types, method),
    }
    for claim, measure in everywhere.items():
        yield from guarded(claim, measure)


def _order(method: Sampler, claimed: int, name: str) -> Iterator[Check]:
    errors = convergence(method, problem(name))
    yield _converges("order", order(STEPS, errors), claimed, errors[-1], name)


def _moments(method: Sampler, claimed: int, name: str) -> Iterator[Check]:
    means, variances = moment_convergence(method, FAMILIES[name], MOMENT_STEPS)
    errors = [max(pair) for pair in zip(means, variances, strict=True)]
    yield _converges("moments", order(MOMENT_STEPS, errors), claimed, errors[-1], name)


def _converges(claim: str, measured: float, claimed: int, error: float, name: str) -> Check:
    if error < ROUNDING:
        return Check(claim, True, "exact", name, measured)
    message = f"order {measured:.2f} measured, {claimed} claimed (error {error:.2g} at the most steps)"
    return Check(claim, measured >= claimed - SLACK, message, name, measured)


def _states(method: Sampler, spec: SamplerSpec, name: str) -> Iterator[Check]:
    schedule = FAMILIES[name]
    measure = stochastic_contents if spec.stochastic else contents
    grids = [time_grid("half-log-snr", schedule, 7), time_grid("t", schedule, 6)]
    worst = max((deviation(schedule, list(measure(method, schedule, grid))) for grid in grids), key=lambda d: d.size)
    if spec.stochastic and spec.order and worst.size > EXACT:
        worst = _vanishing(method, schedule, spec.order, worst)
    message = worst.where or "every state holds what its time says"
    yield Check("states", worst.size <= EXACT, message, name, worst.size)


def _vanishing(method: Sampler, schedule: Schedule, claimed: int, worst: Deviation) -> Deviation:
    """Excuse noise of a variance that is right in the limit only, if it comes there at the order claimed."""
    sizes = [
        deviation(schedule, list(stochastic_contents(method, schedule, even(schedule, steps)))).size
        for steps in MOMENT_STEPS
    ]
    return Deviation() if order(MOMENT_STEPS, sizes) >= claimed - 2 * SLACK else worst


def _draws(method: Sampler, stochastic: bool) -> Iterator[Check]:
    oracle = gaussian(Linear())
    count = count_draws(method, oracle, even(oracle.schedule, 7))
    message = f"noise is drawn {count} times in 7 steps"
    yield Check("stochastic", (count > 0) == stochastic, message, measured=count)


def _evaluations(method: Sampler) -> Iterator[Check]:
    """Count those of the last of some steps; a method that decides on them by itself says how many it took."""
    oracle, x_1, seeds = _start()
    watching, counts, works = Watching(oracle), [], []

    def count(end: StepEnd) -> None:
        counts.append(len(watching.asked))
        works.append(end.work)

    method.sample(watching, x_1, times=[0.9, 0.8, 0.6, 0.4, 0.2, 0.1], seeds=seeds, on_step=count)
    taken = counts[-1] - counts[-2]
    message = f"{taken} in a step, {method.evaluations} claimed"
    yield Check("evaluations", works[-1] is not None or taken == method.evaluations, message, measured=taken)


def _seeds(method: Sampler, stochastic: bool) -> Iterator[Check]:
    oracle, x_1, seeds = _start()
    with torch.random.fork_rng(devices=[]):
        walks = []
        for global_seed in range(2):
            torch.manual_seed(global_seed)
            walks.append(method.sample(oracle, x_1, steps=7, seeds=seeds))
    difference = (walks[0] - walks[1]).abs().max().item()
    yield at_most("seeds", difference, 0.0, "two walks with the same seeds differ by")
    other = method.sample(oracle, x_1, steps=7, seeds=Seeds(seeds.seed + 1, seeds.indices))
    if stochastic and torch.equal(other, walks[0]):
        yield Check("seeds", False, "samples are the same whatever the seed")


def _batches(method: Sampler) -> Iterator[Check]:
    oracle, x_1, seeds = _start()
    whole = method.sample(oracle, x_1, steps=7, seeds=seeds)
    parts = [slice(i, i + 5) for i in range(0, _SAMPLES, 5)]
    pieces = torch.cat([method.sample(oracle, x_1[part], steps=7, seeds=seeds[part]) for part in parts])
    yield at_most("batches", (whole - pieces).abs().max().item(), EXACT, "samples of batches of another size differ by")


def _finite(method: Sampler) -> Iterator[Check]:
    schedules = {**FAMILIES, "linear with zero terminal SNR": Linear(zero_terminal_snr=True)}
    for (name, schedule), grid, steps in itertools.product(schedules.items(), ("t", "half-log-snr"), (1, 2, 9)):
        seeds = Seeds(0, range(2))
        ends: list[StepEnd] = []
        x_1 = prior(schedule, seeds, (2,)).double()
        try:
            method.sample(gaussian(schedule), x_1, steps=steps, grid=grid, seeds=seeds, on_step=ends.append)
        except ArithmeticError as error:
            yield Check("finite", False, f"{steps} steps on the grid '{grid}' raise {error!r}", name)
            return
        for end in ends:
            if not torch.isfinite(end.x_s).all():
                message = f"step {end.index + 1} of {steps} on the grid '{grid}', to t = {end.s.t:.4g}, is not finite"
                yield Check("finite", False, message, name)
                return
    yield Check("finite", True, "every state from pure noise to data")


def _types(method: Sampler) -> Iterator[Check]:
    oracle, x_1, seeds = _start()
    x_1 = x_1.float()[:, None].expand(-1, 2, -1)
    oracle = Gaussian(oracle.mean.float(), oracle.std.float(), oracle.schedule)
    x_0 = method.sample(oracle, x_1, steps=3, seeds=seeds)
    same = x_0.shape == x_1.shape and x_0.dtype == x_1.dtype
    given, got = (f"{x.dtype} {tuple(x.shape)}".removeprefix("torch.") for x in (x_1, x_0))
    yield Check("types", same, "kept" if same else f"{given} becomes {got}")


def _start() -> tuple[Gaussian, Tensor, Seeds]:
    schedule, seeds = Linear(), Seeds(3, range(_SAMPLES))
    return gaussian(schedule), prior(schedule, seeds, (5,)).double(), seeds

"""Every way to distil, on data in the plane: what a few evaluations are worth before and after.

    OMP_NUM_THREADS=1 python benchmarks/distillation.py --out distillation.md

A small network learns eight Gaussians on a circle, and a checkerboard; then students learn from it, by the losses that
`polydiff distill` uses. The figure is the sliced 2-Wasserstein distance to 10,000 true samples; the first line is what
another 10,000 true ones have. Guidance makes other data than the true ones: for the guided student and its teacher the
distance is that to the guided teacher's own samples of other noise. The last lines hold progressive distillation to
its bars: in 4 steps at most 1.3 times the distance that the teacher has in 64, and half of the least that the teacher
has with 4 evaluations, by any sampler on any grid.
"""

from __future__ import annotations

import argparse
import copy
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import polydiff
from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser, NetworkDenoiser
from polydiff.core.noise import DISTILL, TRAIN_NOISE, TRAIN_TIME, Seeds
from polydiff.core.prediction import prediction
from polydiff.core.schedule import Cosine
from polydiff.distillation.consistency import Consistency, ToldWhen
from polydiff.distillation.flow_map import FlowMap
from polydiff.distillation.match import Match
from polydiff.distillation.progressive import Progressive
from polydiff.nn.time_embedding import TimeEmbedding
from polydiff.recipe.component import Component
from polydiff.sampling.grid import time_grid
from polydiff.sampling.sampler import Sampler, prior
from polydiff.training.ema import EMA
from polydiff.training.objective import Objective, stratified
from polydiff.training.times import Uniform
from polydiff.training.weighting import Constant, TruncatedSNR
from polydiff.tuning.candidates import candidates, times_within

SAMPLES, CHOOSING = 10_000, 2048
CLASSES, VECTOR = 8, 32
BATCH = 256
TEACHER, STUDENT = 64, 4
LABELS = torch.arange(SAMPLES) % CLASSES
SCALE = 2.0
"""Of the guidance."""


def eight_gaussians(label: Tensor, generator: torch.Generator) -> Tensor:
    """Give points around one of eight of a circle."""
    angle = label * (2 * math.pi / CLASSES)
    centre = 1.4 * torch.stack((angle.cos(), angle.sin()), 1)
    return centre + 0.1 * torch.randn(len(label), 2, generator=generator)


def checkerboard(label: Tensor, generator: torch.Generator) -> Tensor:
    """Give points on one of the black squares of a board of four by four."""
    row = label // 2
    corner = torch.stack((2 * (label % 2) + row % 2, row), 1) - 2.0
    return 0.87 * (corner + torch.rand(len(label), 2, generator=generator))


DATA = {"eight Gaussians": eight_gaussians, "checkerboard": checkerboard}
Data = Callable[[Tensor, torch.Generator], Tensor]


class Network(nn.Module):
    """A perceptron with residual layers, each scaled and shifted by noise level and condition."""

    def __init__(self, width: int, depth: int = 3) -> None:
        super().__init__()
        self.time, self.vector = TimeEmbedding(width), nn.Linear(VECTOR, width, bias=False)
        self.into, self.out = nn.Linear(2, width), nn.Linear(width, 2)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.scales = nn.ModuleList(nn.Linear(width, 2 * width) for _ in range(depth))

    def forward(self, x: Tensor, log_snr: Tensor, cond: Condition | None = None) -> Tensor:
        """Evaluate it."""
        embedding = self.time(log_snr)
        if cond is not None and cond.vector is not None:
            embedding = embedding + self.vector(cond.vector)
        embedding = nn.functional.silu(embedding)
        h = self.into(x)
        for layer, scales in zip(self.layers, self.scales, strict=True):
            scale, shift = scales(embedding).chunk(2, 1)
            h = h + layer(nn.functional.silu(h * (1 + scale) + shift))
        output: Tensor = self.out(nn.functional.silu(h))
        return output


class Guide:
    """A denoiser in the place of a `Teacher`, which is told what the student is."""

    def __init__(self, denoiser: Denoiser) -> None:
        self.denoiser, self.schedule = denoiser, denoiser.schedule

    @torch.no_grad()
    def x0(self, x_t: Tensor, t: Tensor, told: ToldWhen, mask: Tensor | None = None) -> Tensor:
        """Give its estimate."""
        x0: Tensor = self.denoiser(x_t, t, told.student)
        return x0


class FromData(Objective):
    """What a teacher learns; where there are labels, without them in a tenth of the samples."""

    def losses(
        self,
        denoiser: NetworkDenoiser,
        x0: Tensor,
        t: Tensor,
        eps: Tensor,
        cond: Any = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Give each sample's loss."""
        kept = cond.seeds.uniform((), stream=DISTILL) < 0.9
        return super().losses(denoiser, x0, t, eps, cond.student and cond.student.keep(kept), mask)


def network(width: int = 128) -> NetworkDenoiser:
    return NetworkDenoiser(Network(width), Cosine(), prediction("v"))


def labelled(label: Tensor) -> Condition:
    return Condition(vector=nn.functional.one_hot(label, VECTOR).float())


def fit(
    student: NetworkDenoiser,
    objective: Any,
    data: Data,
    steps: int,
    lr: float,
    *,
    batch: int = BATCH,
    told: bool = False,
) -> Any:
    """Train as a run does, with a rate that goes to zero; give the averaged student."""
    average = EMA(student.train().requires_grad_(True), 0.999 if steps > 1000 else 0.98)
    optimizer = torch.optim.Adam(student.parameters(), lr, betas=(0.9, 0.99), fused=True)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 50) * (1 - step / steps)
        seeds = Seeds(0, torch.arange(step * batch, (step + 1) * batch))
        u = stratified(seeds.uniform((), stream=TRAIN_TIME), torch.arange(batch), batch)
        label = torch.randperm(batch, generator=generator) % CLASSES
        x0 = data(label, generator)
        cond = labelled(label) if told else None
        behind = torch.full((batch,), step / steps, dtype=torch.float64)
        eps = seeds.normal((2,), stream=TRAIN_NOISE)
        t = objective.times(u, student.schedule)
        loss = objective.losses(student, x0, t, eps, ToldWhen(cond, cond, None, seeds, behind)).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        average.update()
    return average.model


@torch.no_grad()
def draw(
    denoiser: Denoiser,
    sampler: str | Sampler,
    times: Sequence[float] | Tensor,
    *,
    count: int = SAMPLES,
    seed: int = 1,
    told: bool = False,
) -> Tensor:
    seeds = Seeds(seed, range(count))
    method = polydiff.sampler(sampler) if isinstance(sampler, str) else sampler
    cond = labelled(LABELS[:count]) if told else None
    return method.sample(denoiser, prior(denoiser.schedule, seeds, (2,)), times=times, seeds=seeds, cond=cond)


def even(steps: int) -> list[float]:
    return [1 - i / steps for i in range(steps + 1)]


def sliced(x: Tensor, y: Tensor) -> float:
    """Give the sliced 2-Wasserstein distance of two sets of as many points, over fixed directions."""
    angles = math.pi * torch.arange(128) / 128
    directions = torch.stack((angles.cos(), angles.sin()))
    return float(((x @ directions).sort(0).values - (y @ directions).sort(0).values).square().mean().sqrt())


@dataclass(frozen=True)
class Row:
    """A line of the table; `seconds` are those of training."""

    name: str
    sampler: str
    evaluations: int
    distance: float
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"| {self.name} | {self.sampler} | {self.evaluations} | {self.distance:.4f} | {self.seconds:.0f} |"


class Contest:
    """A teacher and its students on one kind of data."""

    def __init__(self, data: Data, effort: float) -> None:
        self.data, self.effort = data, effort
        self.truth, other = (data(LABELS, torch.Generator().manual_seed(seed)) for seed in (11, 12))
        self.floor = Row("true samples", "", 0, sliced(self.truth, other))
        torch.manual_seed(0)
        start = time.process_time()
        self.teacher = self.fit(network(), FromData(Uniform(), Constant()), 6000, 2e-3, batch=2 * BATCH)
        self.seconds = time.process_time() - start
        self.guide = Guide(self.teacher.requires_grad_(False))

    def fit(self, student: NetworkDenoiser, objective: Any, steps: int, lr: float, **options: Any) -> Any:
        """Train with the effort that is asked for."""
        return fit(student, objective, self.data, max(1, int(steps * self.effort)), lr, **options)

    def row(self, name: str, student: Denoiser, sampler: str, steps: int, start: float) -> Row:
        """Judge a student on its even grid."""
        distance = sliced(draw(student, sampler, even(steps)), self.truth)
        return Row(name, sampler, steps, distance, time.process_time() - start)

    def rows(self) -> Iterator[Row]:
        """Give the table, line by line."""
        yield self.floor
        yield Row(
            "teacher", "ddim", TEACHER, sliced(draw(self.teacher, "ddim", even(TEACHER)), self.truth), self.seconds
        )
        yield self.untaught()
        yield from self.progressive()
        yield from self.consistency()
        yield from self.flow_map()
        yield self.smaller()
        yield from self.guided()

    def untaught(self) -> Row:
        """Find the teacher's best sampler and grid with as few evaluations, by some samples; judge that by all."""
        tried = []
        for name, sampler, times in self.samplers():
            distance = sliced(draw(self.teacher, sampler, times, count=CHOOSING), self.truth[:CHOOSING])
            tried.append((distance, name, sampler, times))
        _, name, sampler, times = min(tried, key=lambda each: each[0])
        return Row("teacher", name, STUDENT, sliced(draw(self.teacher, sampler, times), self.truth))

    def samplers(self) -> Iterator[tuple[str, Sampler, Tensor]]:
        """Give every sampler on every grid, with as many steps as the student's evaluations buy."""
        schedule = self.teacher.schedule
        for grid in ("t", "half-log-snr", "karras"):
            for each in candidates()[0]:
                times = None if each.adaptive else times_within(each.sampler, Component(grid), schedule, STUDENT)
                if times is not None:
                    yield f"{each.component.name} on {grid}", each.sampler, times
            for name in ("ddpm", "er-sde", "dpm++2m-sde"):
                yield f"{name} on {grid}", polydiff.sampler(name), time_grid(grid, schedule, STUDENT)

    def progressive(self) -> Iterator[Row]:
        """Halve the steps."""
        steps, student, start = TEACHER, self.teacher, time.process_time()
        while steps > STUDENT:
            objective = Progressive(teacher=Guide(student), weighting=TruncatedSNR(), times=even(steps))
            student = self.fit(copy.deepcopy(student), objective, 500, 1e-3).requires_grad_(False)
            steps //= 2
            yield self.row("progressive", student, "ddim", steps, start)

    def consistency(self) -> Iterator[Row]:
        """Learn the ends of trajectories, from the teacher's and from data alone."""
        ways = {"consistency distillation": ("teacher", (0.5, 0.2)), "consistency tuning": ("data", (0.5, 0.05))}
        for name, (pairs, gap) in ways.items():
            start, steps = time.process_time(), 800
            positions = int(steps * self.effort) * BATCH
            objective = Consistency(
                teacher=self.guide, weighting=TruncatedSNR(), positions=positions, pairs=pairs, gap=gap
            )
            student = self.fit(copy.deepcopy(self.teacher), objective, steps, 5e-4)
            for each in (1, 2, 4):
                yield self.row(name, student, "consistency", each, start)

    def flow_map(self) -> Iterator[Row]:
        """Learn to jump, from a teacher and from nothing."""
        starts = {
            "flow map": (copy.deepcopy(self.teacher), FlowMap(teacher=self.guide, weighting=TruncatedSNR())),
            "flow map from scratch": (network(), FlowMap(teacher=self.guide, weighting=TruncatedSNR(), anchor="data")),
        }
        for name, (begun, objective) in starts.items():
            start = time.process_time()
            begun.target = TimeEmbedding(VECTOR, silent=True)
            student = self.fit(begun, objective, 1500, 2e-3)
            for each in (1, 2, 4):
                yield self.row(name, student, "flow-map", each, start)

    def smaller(self) -> Row:
        """Match the teacher with a network of half the width."""
        start = time.process_time()
        objective = Match(teacher=self.guide, weighting=TruncatedSNR(), times=even(TEACHER))
        student = self.fit(network(64), objective, 1500, 3e-3)
        return self.row("half the width", student, "ddim", TEACHER, start)

    def guided(self) -> Iterator[Row]:
        """Learn the guided estimate in one evaluation of the network."""
        start = time.process_time()
        teacher = self.fit(network(), FromData(Uniform(), Constant()), 2000, 2e-3, told=True)
        guided = polydiff.guidance("cfg", teacher, scale=SCALE)
        theirs, others = (draw(guided, "ddim", even(TEACHER), seed=seed, told=True) for seed in (1, 2))
        yield Row(
            f"teacher guided by {SCALE:g}", "ddim", 2 * TEACHER, sliced(theirs, others), time.process_time() - start
        )
        start = time.process_time()
        objective = Match(teacher=Guide(guided), weighting=TruncatedSNR(), times=even(TEACHER))
        student = self.fit(copy.deepcopy(teacher), objective, 600, 1e-3, told=True)
        ours = draw(student, "ddim", even(TEACHER), told=True)
        yield Row("guidance distilled", "ddim", TEACHER, sliced(ours, others), time.process_time() - start)


HEADER = "| | sampler | evaluations | sliced W2 | seconds |\n|---|---|---|---|---|"


def verdict(rows: Sequence[Row]) -> tuple[bool, str]:
    """Hold the last student of progressive distillation to its bars."""
    teacher, untaught = (row for row in rows if row.name == "teacher")
    student = next(row for row in rows if (row.name, row.evaluations) == ("progressive", STUDENT))
    kept, gained = student.distance / teacher.distance, untaught.distance / student.distance
    met = kept <= 1.3 and gained >= 2
    return met, (
        f"{'met' if met else 'MISSED'}: in {STUDENT} steps {kept:.2f} times the teacher's distance in {TEACHER} (bar: "
        f"1.3), and {gained:.2f} times less than the teacher's least with {STUDENT} evaluations (bar: 2)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=DATA, action="append", help="both by default")
    parser.add_argument("--effort", type=float, default=1.0, help="times as many steps of training, everywhere")
    parser.add_argument("--out", type=Path, help="a file for the tables")
    arguments = parser.parse_args()
    lines, all_met = [], True

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    for name in arguments.data or DATA:
        say(f"\n{name}\n\n{HEADER}")
        rows = []
        for row in Contest(DATA[name], arguments.effort).rows():
            rows.append(row)
            say(str(row))
        met, words = verdict(rows)
        say(f"\n{words}")
        all_met &= met
    if arguments.out is not None:
        arguments.out.write_text("\n".join(lines) + "\n")
    sys.exit(not all_met)


if __name__ == "__main__":
    main()

"""One device's work: batches of samples, written as files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import polydiff
from polydiff.core.noise import Seeds
from polydiff.errors import UsageError
from polydiff.generation.output import stem, write_all
from polydiff.generation.request import Batch, Request
from polydiff.model import load
from polydiff.model.settings import by_condition
from polydiff.plugins.host import host
from polydiff.plugins.specs import FileKindSpec
from polydiff.sampling.sampler import StepEnd

SHOWN = 100
"""How many samples of a set its contact sheet shows."""

FRAMES = 32
"""How many estimates of x_0 a trajectory has at most; more steps than that are thinned out evenly."""


@dataclass(frozen=True, slots=True)
class Job:
    """A request and all that a worker needs to serve it; goes to other processes.

    Attributes
    ----------
    model
        A model folder.
    out
        The folder to write into.
    """

    model: Path
    request: Request
    out: Path


@dataclass(frozen=True, slots=True)
class Made:
    """One sample, written.

    Attributes
    ----------
    record
        Its line of `samples.jsonl`.
    caption
        What it is conditioned on, for people.
    content
        For the contact sheet; `None` beyond the first `SHOWN`.
    """

    record: dict[str, Any]
    caption: str
    content: Any


class Worker:
    """A loaded model on a device, with everything in the request looked up and checked.

    Raises
    ------
    UsageError
        When the request names what the model or its modality does not have.
    """

    def __init__(self, job: Job, device: torch.device) -> None:
        self.job = job
        self.request = request = job.request
        self.model = load(job.model).to(device)
        self.assigned, self.avoided = map(self.model.assign, request.wishes(self.model))
        self.settings = self.model.settings(
            sampler=request.sampler, steps=request.steps, guidance=request.guidance, grid=request.grid
        )
        codec = self.model.codec
        self.shape = codec.shape if request.size is None else codec.shape_for(request.size)
        modality = host().modality(self.model.config.modality)
        kind = (
            modality.files[0]
            if request.file_kind is None
            else host().find(FileKindSpec, request.file_kind, modality.name)
        )
        if request.normalize and not modality.normalize:
            raise UsageError(f"--normalize: modality '{modality.name}' has no level that files are made for")
        self.suffix = kind.suffix
        self.encode: Callable[[Any, Mapping[str, str]], bytes] = host().load(kind)
        self.loss: Callable[[Any], str | None] | None = host().load(kind, "loss") if kind.loss else None
        self.facts: Callable[[Any], Mapping[str, Any]] | None = host().load(kind, "facts") if kind.facts else None
        self.normalized = host().load(modality, "normalize") if request.normalize else _as_it_is
        self.draw_trajectory = host().load(modality, "trajectory")

    def __call__(self, batch: Batch) -> list[Made]:
        """Compute a batch and write the files of its samples: all of them, or none."""
        kept = slice(batch.wanted.start - batch.indices.start, batch.wanted.stop - batch.indices.start)
        trajectory = Trajectory(kept) if self.request.trajectory else None
        with exact_kernels(enabled=self.request.exact):
            x = self._sample(batch, trajectory)
            contents = [self.normalized(content) for content in self._decode(x[kept])]
            frames = [self._decode(x0) for x0 in trajectory.x0] if trajectory else []
        made, files = [], {}
        for row, (index, content) in enumerate(zip(batch.wanted, contents, strict=True)):
            record = self._record(index, content)
            drawn = self.draw_trajectory([frame[row] for frame in frames]) if frames else {}
            files[record["file"]] = self.encode(content, as_texts(record))
            files.update({stem(index) + ending: data for ending, data in drawn.items()})
            if drawn:
                record["trajectory"] = [stem(index) + ending for ending in drawn]
            shown = index - self.request.first < SHOWN
            made.append(Made(record, ", ".join(record["conditions"].values()), content if shown else None))
        write_all(self.job.out, files)
        return made

    def _sample(self, batch: Batch, on_step: Callable[[StepEnd], None] | None) -> Tensor:
        request = self.request
        return self.model.sample(
            Seeds(request.seed, batch.indices),
            {name: [each.value(i) for i in batch.indices] for name, each in self.assigned.items()},
            shape=self.shape,
            sampler=request.sampler,
            steps=request.steps,
            guidance=request.guidance,
            grid=request.grid,
            avoided={name: [each.value(i) for i in batch.indices] for name, each in self.avoided.items()},
            known=request.known,
            on_step=on_step,
        )

    def _decode(self, x: Tensor) -> Sequence[Any]:
        codec, size = self.model.codec, self.request.size
        contents = codec.decode(x)
        return contents if size is None else [codec.cut(content, size) for content in contents]

    def _record(self, index: int, content: Any) -> dict[str, Any]:
        request, sample = self.request, self.settings
        lost = None if self.loss is None else self.loss(content)
        return {
            "file": stem(index) + self.suffix,
            "index": index,
            "seed": request.seed,
            "conditions": {name: each.text(index) for name, each in self.assigned.items()},
            **({"avoided": {name: each.text(index) for name, each in self.avoided.items()}} if self.avoided else {}),
            **({"unread": unread} if (unread := self._unread(index)) else {}),
            "sampler": sample.sampler.flat(),
            "steps": sample.steps,
            "grid": sample.grid.flat(),
            "guidance": [
                each.flat() for each in sample.guidance if self.assigned or self.avoided or not by_condition(each)
            ],
            "shape": list(self.shape),
            "exact": request.exact,
            **({"normalized": True} if request.normalize else {}),
            **request.notes,
            **({"lost": lost} if lost else {}),
            **({"facts": dict(self.facts(content))} if self.facts else {}),
            "model": self.model.sha256,
            "polydiff": polydiff.__version__,
        }

    def _unread(self, index: int) -> dict[str, str]:
        """Give what the conditioners leave out of what the user has written."""
        left_out = {name: each.unread[index % len(each.unread)] for name, each in self.assigned.items()}
        return {name: text for name, text in left_out.items() if text}


class Trajectory:
    """Collects the estimates of x_0, as a sampler's `on_step`.

    Parameters
    ----------
    kept
        The samples of the batch to collect.
    """

    def __init__(self, kept: slice) -> None:
        self.kept = kept
        self.x0: list[Tensor] = []

    def __call__(self, step: StepEnd) -> None:
        """Keep this step's estimate, if its turn has come."""
        frames = min(step.steps, FRAMES)
        if (step.index + 1) * frames // step.steps > step.index * frames // step.steps:
            self.x0.append(step.x0[self.kept])


def _as_it_is(content: Any) -> Any:
    return content


def as_texts(record: Mapping[str, Any]) -> dict[str, str]:
    """Flatten a record for a file's metadata: texts stay, anything else becomes JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in record.items()}


@contextmanager
def exact_kernels(*, enabled: bool) -> Iterator[None]:
    """Make the rounding of the network's kernels a matter of their inputs' shapes alone.

    The number of threads decides how sums are cut: of the same batch, a U-Net's output on three threads differs in its
    last digits from that on one.
    """
    if not enabled:
        yield
        return
    cudnn = torch.backends.cudnn
    before = torch.get_num_threads(), cudnn.deterministic, cudnn.benchmark
    torch.set_num_threads(1)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        threads, cudnn.deterministic, cudnn.benchmark = before
        torch.set_num_threads(threads)

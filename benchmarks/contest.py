"""Networks that take turns at a training step and at an evaluation, so that other load falls on all alike."""

from __future__ import annotations

import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

EVALUATIONS = 20
"""Network evaluations that generate an example."""

Evaluate = Callable[[Tensor, Tensor], Tensor]
"""(x, log_snr) -> output."""


@dataclass
class Contestant:
    """A network with the seconds that its training steps and its evaluations took."""

    name: str
    network: nn.Module
    evaluate: Evaluate
    training: list[float] = field(default_factory=list)
    evaluation: list[float] = field(default_factory=list)

    @property
    def parameters(self) -> int:
        """Count them."""
        return sum(p.numel() for p in self.network.parameters())


@dataclass(frozen=True)
class Contest:
    """Contestants, ours first, for data of one shape.

    Attributes
    ----------
    shape
        (C, *), of an example.
    unit, units
        What is generated, and how much of it an example is.
    """

    contestants: list[Contestant]
    shape: tuple[int, ...]
    unit: str = "samples"
    units: float = 1


def compare(contest: Contest, options: Namespace) -> None:
    """Measure all contestants, with `device`, `batch`, `turns` and `seconds` of the options."""
    x = torch.randn((options.batch, *contest.shape), device=options.device)
    log_snr = torch.linspace(-20, 20, options.batch, device=options.device)
    for contestant in contest.contestants:
        contestant.network.to(options.device)
    tasks = [(c, _training_step(c, x, log_snr), _evaluation(c, x, log_snr)) for c in contest.contestants]
    for _ in range(options.turns):
        for contestant, train, evaluate in tasks:
            contestant.training += _timings(train, options)
            contestant.evaluation += _timings(evaluate, options)


def report(contest: Contest, options: Namespace) -> None:
    """Print the medians over all turns."""
    print(f"{options}\ntorch {torch.__version__}, {torch.get_num_threads()} CPU threads\n")
    print(f"{'':26}{'parameters':>12}{'train steps/s':>16}{'ratio':>8}{contest.unit + '/s':>12}{'ratio':>8}")
    ours = contest.contestants[0]
    for contestant in contest.contestants:
        step, evaluation = (statistics.median(seconds) for seconds in (contestant.training, contestant.evaluation))
        ratios = (step / statistics.median(ours.training), evaluation / statistics.median(ours.evaluation))
        generated = options.batch * contest.units / EVALUATIONS / evaluation
        print(
            f"{contestant.name:26}{contestant.parameters:12,}{1 / step:16.2f}{ratios[0]:8.2f}"
            f"{generated:12.1f}{ratios[1]:8.2f}"
        )
    print("\nA ratio of 2 says that polydiff is twice as fast as this network.")
    print(f"Generating takes {EVALUATIONS} network evaluations.")


def _training_step(contestant: Contestant, x: Tensor, log_snr: Tensor) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(contestant.network.parameters(), 1e-4, fused=True)

    def step() -> None:
        contestant.network.train()
        loss = (contestant.evaluate(x, log_snr) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def _evaluation(contestant: Contestant, x: Tensor, log_snr: Tensor) -> Callable[[], object]:
    @torch.inference_mode()
    def evaluate() -> Tensor:
        contestant.network.eval()
        return contestant.evaluate(x, log_snr)

    return evaluate


def _timings(task: Callable[[], object], options: Namespace) -> list[float]:
    """Time `task` for a turn, after two calls that warm it up."""
    seconds: list[float] = []
    for _ in range(2):
        task()
    while sum(seconds) < options.seconds:
        _synchronise(options.device)
        start = time.perf_counter()
        task()
        _synchronise(options.device)
        seconds.append(time.perf_counter() - start)
    return seconds


def _synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()

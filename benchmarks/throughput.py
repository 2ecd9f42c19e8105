"""Training and sampling throughput of a backbone beside that of an established library's, in one run.

    python benchmarks/throughput.py --modality image --size 8 --channels 32 --multipliers 1 2 2 --blocks 1

The networks take turns, so that whatever else the machine does falls on both; the medians over all turns are compared.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from polydiff.core.condition import ConditionDims
from polydiff.nn.norm import groups

EVALUATIONS = 20
"""Network evaluations per sample."""

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


def main() -> None:
    options = arguments()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    contestants, shape = MODALITIES[options.modality](options)
    compare(contestants, (options.batch, *shape), options)
    report(contestants, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--modality", choices=sorted(MODALITIES), default="image")
    parser.add_argument("--size", type=int, default=8, help="height and width")
    parser.add_argument("--data-channels", type=int, default=1, help="channels of the data")
    parser.add_argument("--channels", type=int, default=32, help="base width of the networks")
    parser.add_argument(
        "--multipliers", type=int, nargs="+", default=[1, 2, 2], help="widths over the base width, by level"
    )
    parser.add_argument("--blocks", type=int, default=1, help="residual blocks of each level")
    parser.add_argument(
        "--attention", type=int, nargs="*", default=[2], help="levels with attention, 0 the full resolution"
    )
    parser.add_argument("--head-width", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; PyTorch's default when not given")
    parser.add_argument("--turns", type=int, default=15, help="times that each network is measured")
    parser.add_argument("--seconds", type=float, default=0.5, help="a turn lasts at least this long")
    return parser.parse_args()


def image(options: argparse.Namespace) -> tuple[list[Contestant], tuple[int, ...]]:
    """Set `unet2d` against diffusers' U-Net of the same widths, depth and attention placement."""
    from diffusers import UNet2DModel  # noqa: PLC0415 - another modality needs other packages
    from polydiff_image.unet2d import UNet2D  # noqa: PLC0415

    ours = UNet2D(
        options.data_channels,
        ConditionDims(),
        channels=options.channels,
        multipliers=tuple(options.multipliers),
        blocks=options.blocks,
        attention=tuple(options.attention),
        head_width=options.head_width,
    )
    levels = range(len(options.multipliers))
    attended = [level in options.attention for level in levels]
    theirs = [
        UNet2DModel(
            sample_size=options.size,
            in_channels=options.data_channels,
            out_channels=options.data_channels,
            block_out_channels=tuple(options.channels * m for m in options.multipliers),
            layers_per_block=options.blocks,
            down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attended),
            up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attended)),
            add_attention=attended[-1],
            attention_head_dim=options.head_width,
            norm_num_groups=groups(options.channels),
            resnet_time_scale_shift="scale_shift",
        )
        for _ in range(2)
    ]
    theirs[1].to(memory_format=torch.channels_last)

    def diffusers_evaluation(network: nn.Module, memory_format: torch.memory_format) -> Evaluate:
        return lambda x, log_snr: network(x.contiguous(memory_format=memory_format), log_snr).sample

    contestants = [
        Contestant("polydiff unet2d", ours, ours),
        Contestant("diffusers", theirs[0], diffusers_evaluation(theirs[0], torch.contiguous_format)),
        Contestant("diffusers, channels last", theirs[1], diffusers_evaluation(theirs[1], torch.channels_last)),
    ]
    return contestants, (options.data_channels, options.size, options.size)


MODALITIES: dict[str, Callable[[argparse.Namespace], tuple[list[Contestant], tuple[int, ...]]]] = {"image": image}


def compare(contestants: list[Contestant], shape: tuple[int, ...], options: argparse.Namespace) -> None:
    x = torch.randn(shape, device=options.device)
    log_snr = torch.linspace(-20, 20, shape[0], device=options.device)
    for contestant in contestants:
        contestant.network.to(options.device)
    tasks = [(c, training_step(c, x, log_snr), evaluation(c, x, log_snr)) for c in contestants]
    for _ in range(options.turns):
        for contestant, train, evaluate in tasks:
            contestant.training += timings(train, options)
            contestant.evaluation += timings(evaluate, options)


def training_step(contestant: Contestant, x: Tensor, log_snr: Tensor) -> Callable[[], object]:
    optimizer = torch.optim.AdamW(contestant.network.parameters(), 1e-4, fused=True)

    def step() -> None:
        contestant.network.train()
        loss = (contestant.evaluate(x, log_snr) - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def evaluation(contestant: Contestant, x: Tensor, log_snr: Tensor) -> Callable[[], object]:
    @torch.inference_mode()
    def evaluate() -> Tensor:
        contestant.network.eval()
        return contestant.evaluate(x, log_snr)

    return evaluate


def timings(task: Callable[[], object], options: argparse.Namespace) -> list[float]:
    """Time `task` for a turn, after two calls that warm it up."""
    seconds: list[float] = []
    for _ in range(2):
        task()
    while sum(seconds) < options.seconds:
        synchronise(options.device)
        start = time.perf_counter()
        task()
        synchronise(options.device)
        seconds.append(time.perf_counter() - start)
    return seconds


def synchronise(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def report(contestants: list[Contestant], options: argparse.Namespace) -> None:
    print(f"{options}\ntorch {torch.__version__}, {torch.get_num_threads()} CPU threads\n")
    print(f"{'':26}{'parameters':>12}{'train steps/s':>16}{'ratio':>8}{'samples/s':>12}{'ratio':>8}")
    ours = contestants[0]
    for contestant in contestants:
        step, evaluation = (statistics.median(seconds) for seconds in (contestant.training, contestant.evaluation))
        ratios = (step / statistics.median(ours.training), evaluation / statistics.median(ours.evaluation))
        print(
            f"{contestant.name:26}{contestant.parameters:12,}{1 / step:16.2f}{ratios[0]:8.2f}"
            f"{options.batch / EVALUATIONS / evaluation:12.1f}{ratios[1]:8.2f}"
        )
    print("\nA ratio of 2 says that polydiff is twice as fast as this network.")
    print(f"A sample takes {EVALUATIONS} network evaluations.")


if __name__ == "__main__":
    main()

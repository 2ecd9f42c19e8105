"""Training and sampling throughput of a backbone beside that of an established library's, in one run.

    python benchmarks/throughput.py --modality image --size 8 --channels 32 --multipliers 1 2 2 --blocks 1
    python benchmarks/throughput.py --modality audio

The networks take turns, so that whatever else the machine does falls on both; the medians over all turns are compared.
Each modality has options of its own: see them with `--modality audio --help`.
"""

from __future__ import annotations

import argparse
from importlib import import_module

import torch
from contest import Contest, compare, report

MODALITIES = ("audio", "image")
"""Each has its module, throughput_<modality>, that names the contestants and imports what they need."""


def main() -> None:
    options, contest = prepare()
    compare(contest, options)
    report(contest, options)


def prepare() -> tuple[argparse.Namespace, Contest]:
    """Read the command line and build the networks."""
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--modality", choices=MODALITIES, default="image")
    module = import_module(f"throughput_{first.parse_known_args()[0].modality}")
    parser = argparse.ArgumentParser(
        parents=[first], description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    module.add_options(parser)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, help="CPU threads; PyTorch's default when not given")
    parser.add_argument("--turns", type=int, default=15, help="times that each network is measured")
    parser.add_argument("--seconds", type=float, default=0.5, help="a turn lasts at least this long")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads or torch.get_num_threads())
    return options, module.contest(options)


if __name__ == "__main__":
    main()

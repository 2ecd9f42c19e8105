"""A process of a run as torchrun starts it, to be forked where PyTorch is already imported."""

import os
import sys

from polydiff.cli.main import main


def run(environment, args):
    os.environ.update(environment)
    sys.exit(main(args))

"""A process of a run as torchrun starts it, to be forked where PyTorch is already imported."""

import errno
import os
import sys

from polydiff import files
from polydiff.cli.main import main


def run(environment, args):
    os.environ.update(environment)
    if "TOY_FULL" in os.environ:
        fill_disk(os.environ["TOY_FULL"].split())
    sys.exit(main(args))


def fill_disk(words):
    """Refuse to write files with all of these words in their paths."""
    write = files.write

    def refuse(path, content, **options):
        if all(word in str(path) for word in words):
            raise files.cannot_write(path, OSError(errno.ENOSPC, "No space left on device"))
        write(path, content, **options)

    files.write = refuse

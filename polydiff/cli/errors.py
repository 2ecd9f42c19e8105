"""From what went wrong to a line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys

import click

from polydiff.errors import PolydiffError, printable
from polydiff.plugins.records import in_one_line

FAILED = 1
INTERRUPTED = 130


def report(error: BaseException, *, debug: bool) -> int:
    """Tell the user what went wrong, with the traceback where `debug` is on.

    Returns
    -------
    int
        The exit code.
    """
    if isinstance(error, BrokenPipeError):
        # The reader of a pipe has gone: there is nobody to tell, and Python must not try to flush at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    interrupted = isinstance(error, KeyboardInterrupt) or (
        isinstance(error, click.Abort) and not isinstance(error.__cause__, EOFError)
    )
    if debug:
        sys.excepthook(type(error), error, error.__traceback__)
    if interrupted:
        _say("interrupted")
        return INTERRUPTED
    if isinstance(error, PolydiffError):
        _say(f"error: {error}")
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return error.exit_code
    if isinstance(error, click.ClickException):
        _say(f"error: {error.format_message()}")
        context = getattr(error, "ctx", None)
        if context is not None:
            _say(f"see `{context.command_path} --help`")
        return error.exit_code
    _say(f"error: {_words(error.__cause__ or error if isinstance(error, click.Abort) else error)}")
    if not debug:
        _say("run again with --debug for the traceback")
    return FAILED


def _words(error: BaseException) -> str:
    """Say what no part of the program has foreseen."""
    # PyTorch's own error is known by its name on a GPU, by its words on the CPU.
    if type(error).__name__ in {"MemoryError", "OutOfMemoryError"} or "can't allocate memory" in str(error):
        return "out of memory; make less at a time (--batch, train.accumulate) or smaller ones (--size)"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    return in_one_line(error)


def _say(text: str) -> None:
    text = "\n".join(map(printable, text.split("\n")))  # a message may show what a file of anybody's says
    click.echo(click.style(text, fg="red") if text.startswith("error:") else text, err=True)

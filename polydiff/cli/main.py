"""The `polydiff` program: a group whose commands are imported when they are called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from polydiff.cli.errors import report
from polydiff.errors import PluginError
from polydiff.plugins.distributions import version
from polydiff.plugins.host import host
from polydiff.plugins.specs import CommandSpec

_DEBUG = "--debug"


class _Registered(click.Group):
    """The commands that plugins register, the engine's own among them; listed without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order of registration."""
        return list(self._summaries())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """Import a command; raises as `Host.find` and `Host.load` do."""
        spec = host().find(CommandSpec, cmd_name)
        command = host().load(spec)
        if not isinstance(command, click.Command):
            raise PluginError(f"command '{cmd_name}': '{spec.target}' is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the summaries that they were registered with."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries().items()))

    @staticmethod
    def _summaries() -> dict[str, str]:
        return {entry.spec.name: entry.spec.summary for entry in host().all(CommandSpec)}


def _version(context: click.Context, _parameter: click.Parameter, asked: bool) -> None:
    if asked:
        click.echo(f"polydiff {version('polydiff')}")
        context.exit()


@click.group(cls=_Registered, name="polydiff", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@click.option(_DEBUG, is_flag=True, expose_value=False, help="Show tracebacks; also after a command.")
def polydiff() -> None:
    """Train diffusion models on pictures, sounds, shapes, ..., and generate from them."""


def _open_streams() -> None:
    """Give the program somewhere to write where whoever started it has closed its streams."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (open to the end)


def main(args: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    args
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code: 0 done, 1 failed while running, 2 usage, 3 recipe or data at fault, 4 plugin missing or
        broken, 5 model or checkpoint refused, 130 interrupted.
    """
    args = list(sys.argv[1:] if args is None else args)
    end = args.index("--") if "--" in args else len(args)
    debug = _DEBUG in args[:end] or bool(os.environ.get("POLYDIFF_DEBUG"))
    args = [arg for arg in args[:end] if arg != _DEBUG] + args[end:]
    _open_streams()
    try:
        code = polydiff.main(args, prog_name="polydiff", standalone_mode=False)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        return report(error, debug=debug)
    return code if isinstance(code, int) else 0

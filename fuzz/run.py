"""Fuzz the readers of files that anybody may have made: `python fuzz/run.py [SECONDS] [READER]...`.

Each reader gets an equal share of the time. What it raises besides `PolydiffError`, a message of more than a line, ten
seconds for one file and 4 GiB of memory end the run with exit code 1; the file stays in `fuzz/found/`. Add it to the
tests. What led anywhere is kept in `fuzz/corpus/`, from which the next run begins.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

GUIDED = "--guided"
"""The argument by which a process fuzzes itself."""

INSTRUMENTED = ["polydiff", "csv", "json", "ruamel", "tarfile"]

with atheris.instrument_imports(INSTRUMENTED) if GUIDED in sys.argv else contextlib.nullcontext():
    from readers import READERS

    from polydiff.errors import PolydiffError

FOUND = Path(__file__).parent / "found"
CORPUS = Path(__file__).parent / "corpus"
SECONDS = 600
"""When none are given."""


def main(arguments: list[str]) -> int:
    """Fuzz the readers named, or all, one process for each; give the exit code."""
    seconds = int(arguments.pop(0)) if arguments and arguments[0].isdecimal() else SECONDS
    names = arguments or list(READERS)
    faults = [name for name in names if not _fuzz(name, max(1, seconds // len(names)))]
    print(f"{len(names)} readers, {seconds} s; faults in: {', '.join(faults) or 'none'}")
    return 1 if faults else 0


def _fuzz(name: str, seconds: int) -> bool:
    """Fuzz a reader; tell whether nothing was found."""
    FOUND.mkdir(exist_ok=True)
    corpus = CORPUS / name
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as seeds:
        for number, seed in enumerate(READERS[name].seeds):
            (Path(seeds) / str(number)).write_bytes(seed)
        limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096"]
        options = [*limits, f"-artifact_prefix={FOUND / name}-", "-print_final_stats=1", str(corpus), seeds]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, __file__, GUIDED, name, *options]
        run = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    tried = next((line.split()[-1] for line in run.stderr.splitlines() if "number_of_executed_units" in line), "no")
    print(f"{name}: {tried} files, {'a fault' if run.returncode else 'no fault'}", flush=True)
    if run.returncode:
        print(run.stderr[-4000:], file=sys.stderr)
    return run.returncode == 0


def _guided(name: str, options: list[str]) -> None:
    """Fuzz a reader in this process, which ends with the time."""

    def read(content: bytes) -> None:
        try:
            READERS[name](content)
        except PolydiffError as error:
            assert "\n" not in str(error), str(error)

    atheris.Setup([sys.argv[0], *options], read)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == [GUIDED]:
        _guided(sys.argv[2], sys.argv[3:])
    sys.exit(main(sys.argv[1:]))

"""From a model folder to a folder of samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from polydiff.generation.devices import resolve, run
from polydiff.generation.output import SHEET, Output, write
from polydiff.generation.request import Request
from polydiff.generation.worker import Job, Made
from polydiff.model import folder as model_folder
from polydiff.plugins.host import host


def generate(
    model: str | Path,
    request: Request,
    out: str | Path,
    *,
    devices: int = 1,
    accelerator: str = "auto",
    overwrite: bool = False,
    on_batch: Callable[[int], None] | None = None,
) -> list[dict[str, Any]]:
    """Generate samples into a folder: their files, `samples.jsonl` with a line on each, and a contact sheet.

    When it is stopped on the way, what has been written by then is in `samples.jsonl`.

    Parameters
    ----------
    model
        A model folder or a run folder.
    out
        A new folder, or one whose earlier samples these extend.
    devices, accelerator
        As `polydiff.generation.devices.resolve` takes them.
    overwrite
        Replace samples of earlier generations.
    on_batch
        Told how many samples have just been made.

    Returns
    -------
    list
        The lines of `samples.jsonl` on these samples.

    Raises
    ------
    PolydiffError
        Of its kind for a request, model or folder that will not do.
    """
    folder, out = model_folder.find(model), Path(out)
    output = Output(out, request.indices, overwrite=overwrite)
    made: list[Made] = []
    told = 0

    def tell() -> None:
        nonlocal told
        new, told = made[told:], len(made)
        output.add([each.record for each in new])

    try:
        for samples in run(Job(folder, request, out), request.batches(), resolve(accelerator, devices), made):
            tell()
            if on_batch is not None:
                on_batch(samples)
    finally:
        tell()
        output.close()
    made.sort(key=lambda each: each.record["index"])
    write(out / SHEET, _sheet(model_folder.read_config(folder).modality, made))
    return [each.record for each in made]


def _sheet(modality: str, made: list[Made]) -> bytes:
    shown = [each for each in made if each.content is not None]
    draw: Callable[[list[Any], list[str]], bytes] = host().load(host().modality(modality), "preview")
    return draw([each.content for each in shown], [each.caption for each in shown])

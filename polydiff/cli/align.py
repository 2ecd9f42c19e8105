"""`polydiff align`: how well contents fit their captions."""

from __future__ import annotations

import click

from polydiff.cli import console
from polydiff.cli.options import Whole, computing


@click.command()
@click.argument("pair")
@click.argument("folder")
@click.option("--batch", type=Whole(1), default=64, show_default=True, help="Captions computed at a time.")
@computing("cpu", "cuda")
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
def align(pair: str, folder: str, batch: int, accelerator: str, as_json: bool) -> None:
    """Measure by PAIR, a contrastive pair, how well the contents of FOLDER fit what is said of them.

    FOLDER is one that `polydiff generate` wrote, whose samples are held against what they were asked to be; or one of
    data with captions.
    """
    from polydiff.embedding.align import align as measure  # noqa: PLC0415 (it imports torch)
    from polydiff.embedding.embedder import Embedder  # noqa: PLC0415

    record = measure(Embedder(pair, batch=batch, accelerator=accelerator), folder)
    if as_json:
        console.as_json(record.as_dict())
        return
    found = record.alignment
    rows = [("cosine, own " + record.fact, f"{found.cosine:.3f}")]
    if found.other is not None and found.retrieval is not None:
        rows += [
            (f"cosine, other {record.fact}", f"{found.other:.3f}"),
            (f"own {record.fact} nearest of {found.candidates}", f"{found.retrieval:.1%}"),
            ("by chance", f"{1 / found.candidates:.1%}"),
        ]
    console.table(("FIGURE", "VALUE"), rows)
    click.echo(
        f"{record.contents} contents" + (f"; {record.untold} without {record.fact} left out" if record.untold else "")
    )
    if found.retrieval is None:
        click.echo("there is one caption only, and so nothing that it could be mistaken for")

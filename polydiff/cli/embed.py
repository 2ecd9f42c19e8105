"""`polydiff embed`: vectors of contents and texts, and which of them are nearest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from polydiff.cli import console
from polydiff.cli.options import Whole, computing
from polydiff.cli.wishes import read_prompts, read_wishes
from polydiff.errors import UsageError


@click.command()
@click.argument("model")
@click.argument("inputs", nargs=-1)
@click.option("--prompt", "prompts", multiple=True, metavar="TEXT", help="A text to embed, beside INPUTS.")
@click.option("--prompts-file", metavar="FILE", help="Texts to embed, a line each, after those of --prompt.")
@click.option(
    "--condition", "conditions", multiple=True, metavar="NAME=VALUE", help="Any other value of a condition to embed."
)
@click.option("--out", metavar="FILE", help="Where the vectors go: FILE.npz or FILE.safetensors.")
@click.option("--overwrite", is_flag=True, help="Replace the file that is there.")
@click.option("--nearest", "texts", multiple=True, metavar="TEXT", help="Tell what is nearest to a text.")
@click.option("--like", multiple=True, metavar="FILE", help="Tell what is nearest to the content of a file.")
@click.option("-k", "--neighbours", type=Whole(1), default=5, show_default=True, help="How many of the nearest.")
@click.option("--batch", type=Whole(1), default=64, show_default=True, help="Contents computed at a time.")
@computing("cpu", "cuda")
@click.option("--json", "as_json", is_flag=True, help="Write what is nearest as JSON.")
def embed(
    model: str,
    inputs: tuple[str, ...],
    prompts: tuple[str, ...],
    prompts_file: str | None,
    conditions: tuple[str, ...],
    out: str | None,
    overwrite: bool,
    texts: tuple[str, ...],
    like: tuple[str, ...],
    neighbours: int,
    batch: int,
    accelerator: str,
    as_json: bool,
) -> None:
    """Embed INPUTS, files and folders of files, and texts, by MODEL.

    MODEL is a contrastive pair, which embeds contents and texts in one space; or a diffusion model, which embeds what
    it can be conditioned on.
    """
    wishes = read_wishes((), conditions)
    asked = read_prompts(prompts, prompts_file)
    if not (inputs or asked or wishes):
        raise UsageError("there is nothing to embed: name files or folders, or texts by --prompt")
    if not (out or texts or like):
        raise UsageError("say where the vectors go, --out FILE.npz, or what to look for, --nearest TEXT or --like FILE")
    from polydiff.embedding.embedder import Embedder  # noqa: PLC0415 (it imports torch)
    from polydiff.embedding.nearest import nearest  # noqa: PLC0415
    from polydiff.embedding.store import check_ending, write  # noqa: PLC0415

    if out is not None:
        check_ending(Path(out))
        if Path(out).exists() and not overwrite:
            raise UsageError(f"--out {out} exists: choose another, or --overwrite it")
    embedder = Embedder(model, batch=batch, accelerator=accelerator)
    names, vectors = embedder.everything(inputs, asked, wishes)
    queries = [*zip(texts, embedder.texts(texts) if texts else (), strict=True)]
    queries += [*zip(like, embedder.contents(like)[1] if like else (), strict=True)]
    found = {query: nearest(vector, names, vectors, neighbours) for query, vector in queries}
    if out is not None:
        write(Path(out), names, vectors)
    if as_json:
        console.as_json(
            {
                "embedded": len(names),
                "width": vectors.shape[1],
                "out": out,
                "nearest": {query: [_plain(each) for each in near] for query, near in found.items()},
            }
        )
        return
    for query, near in found.items():
        console.table(("COSINE", f"NEAREST TO {query}"), [(f"{each.cosine:.3f}", each.name) for each in near])
    if out is not None:
        click.echo(f"{len(names)} vectors of {vectors.shape[1]} numbers in {out}")


def _plain(neighbour: Any) -> dict[str, Any]:
    return {"name": neighbour.name, "cosine": neighbour.cosine}

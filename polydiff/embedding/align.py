"""How well the contents of a folder fit what is said of them, by a contrastive pair."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from polydiff.conditioning.key import key_of
from polydiff.embedding.embedder import Embedder
from polydiff.embedding.inputs import contents, is_generated
from polydiff.errors import DataError, UsageError
from polydiff.metrics.alignment import Alignment, alignment


@dataclass(frozen=True, slots=True)
class Record:
    """An alignment and all that it depends on.

    Attributes
    ----------
    fact
        What is said of the contents.
    contents, untold
        How many were compared, and how many were left out because nothing is said of them.
    pair
        The SHA-256 of the pair's weights.
    """

    alignment: Alignment
    fact: str
    contents: int
    untold: int
    pair: str

    def as_dict(self) -> dict[str, Any]:
        """Give everything as plain data."""
        told = asdict(self)
        return {**told.pop("alignment"), **told}


def align(embedder: Embedder, folder: str) -> Record:
    """Compare the contents of a folder with what is said of them.

    Raises
    ------
    UsageError
        When the model is no pair.
    DataError
        When a content cannot be read, or nothing is said of any.
    """
    pair = embedder.pair
    read = pair.conditioner.parse if is_generated(folder) else pair.conditioner.prepare
    told, untold, vectors, keys = [], 0, [], []
    for example in contents([folder], embedder.modality):
        fact = example.get(pair.fact)
        if fact is None:
            untold += 1
            continue
        try:
            value = read(fact)
        except (UsageError, DataError) as error:
            raise DataError(f"{example.name}: {error}") from error
        told.append(value)
        keys.append(key_of(value))
        vectors.append(pair.embed([example.content]))
    if not told:
        raise DataError(f"{folder}: none of its {untold} contents has the fact '{pair.fact}' that the pair compares")
    with torch.no_grad():
        captions = torch.cat(
            [pair.of_values(told[i : i + embedder.batch]).cpu() for i in range(0, len(told), embedder.batch)]
        )
    found = alignment(torch.cat(vectors).double(), captions.double(), torch.tensor(keys))
    return Record(found, pair.fact, len(told), untold, embedder.sha256)

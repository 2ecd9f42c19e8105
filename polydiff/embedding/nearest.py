"""The nearest of many vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import normalize


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One that is near.

    Attributes
    ----------
    cosine
        Between its vector and that of the query.
    """

    name: str
    cosine: float


def nearest(query: Tensor, names: Sequence[str], vectors: Tensor, k: int) -> list[Neighbour]:
    """Give the k vectors of the largest cosine, or as many as there are, the nearest first.

    Parameters
    ----------
    query
        (D,).
    names, vectors
        n and (n, D).
    """
    cosines = normalize(vectors, dim=-1) @ normalize(query, dim=-1)
    found = cosines.topk(min(k, len(names)))
    return [
        Neighbour(names[i], cosine) for cosine, i in zip(found.values.tolist(), found.indices.tolist(), strict=True)
    ]

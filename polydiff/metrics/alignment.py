"""How well contents fit what is said of them, by vectors of both in one space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Alignment:
    """What `alignment` measures.

    Attributes
    ----------
    cosine
        The mean cosine between a content and its own caption.
    other
        The mean cosine between a content and the other captions, which is what nothing in common comes to; `None` where
        there is one caption only, as is `retrieval`.
    retrieval
        The share of contents whose own caption is nearer than each of the others; chance is 1 / `candidates`.
    candidates
        The different captions.
    """

    cosine: float
    other: float | None
    retrieval: float | None
    candidates: int


def alignment(contents: Tensor, captions: Tensor, keys: Tensor) -> Alignment:
    """Compare contents with their own captions, and with those of the others.

    Parameters
    ----------
    contents, captions
        (n, D), of unit length; row i of both belongs together.
    keys
        (n,) int64: captions that are alike have the same; each counts once as a candidate.
    """
    _, caption = torch.unique(keys, return_inverse=True)
    count = int(caption.max()) + 1
    distinct = captions.new_zeros(count, captions.shape[1]).index_copy_(0, caption, captions)
    cosines = contents @ distinct.T
    own = cosines.gather(1, caption[:, None])[:, 0]
    if count == 1:
        return Alignment(float(own.mean()), None, None, count)
    others = cosines.scatter(1, caption[:, None], -torch.inf).amax(1)
    other = (cosines.sum(1) - own) / (count - 1)
    return Alignment(float(own.mean()), float(other.mean()), float((own > others).double().mean()), count)

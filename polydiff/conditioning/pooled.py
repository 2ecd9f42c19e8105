"""One vector of a condition."""

from __future__ import annotations

from torch import Tensor

from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import UsageError


def pooled_width(dims: ConditionDims) -> int:
    """Give the width of what `pooled` gives.

    Raises
    ------
    UsageError
        When the conditioner gives neither a vector nor tokens.
    """
    if width := dims.vector or dims.tokens:
        return width
    raise UsageError("it conditions by channels alone, of which there is no vector")


def pooled(cond: Condition) -> Tensor:
    """Give the vector of a condition or, where it has none, the mean of its tokens: (B, D)."""
    if cond.vector is not None:
        return cond.vector
    assert cond.tokens is not None, "neither a vector nor tokens"
    if cond.mask is None:
        return cond.tokens.mean(1)
    kept = cond.mask[..., None].to(cond.tokens)
    return (cond.tokens * kept).sum(1) / kept.sum(1).clamp(min=1)

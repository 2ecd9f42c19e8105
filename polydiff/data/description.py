"""What is to be known of one content without knowing its modality."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Description:
    """A content as numbers, given by a modality's `describe`.

    Attributes
    ----------
    sizes
        Its measures by name, all above zero: "width", "seconds", "points", ...
    values
        (N, K), everything that it is made of: N pixels, frames, points, ... of K numbers each.
    """

    sizes: Mapping[str, float]
    values: NDArray[Any]

    @property
    def fingerprint(self) -> str:
        """Give a hash that is the same for contents that are the same."""
        head = json.dumps([dict(self.sizes), self.values.dtype.str, self.values.shape])
        return hashlib.sha256(head.encode() + np.ascontiguousarray(self.values).tobytes()).hexdigest()

    @property
    def flaw(self) -> str | None:
        """Say why nothing can be learnt of it, if so: it is one value throughout, or not finite."""
        if not np.isfinite(self.values).all():
            return "has a value that is not finite"
        return "is one value throughout" if (self.values == self.values[0]).all() else None

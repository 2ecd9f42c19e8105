"""Random changes to contents that keep what they are."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np


class Augmentation(Protocol):
    """A random change to a content before it is encoded, built from a recipe's options."""

    def __call__(self, content: Any, rng: np.random.Generator) -> Any:
        """Give the changed content; all randomness comes from `rng`."""

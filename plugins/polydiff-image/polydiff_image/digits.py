"""Real handwritten digits that need no download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from polydiff.data.example import Example


class Digits:
    """The 1,797 greyscale pictures of 8 x 8 pixels that scikit-learn ships, labelled "0" to "9".

    They are the test set of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
    Learning Repository, 1998: levels 0 (paper) to 16 (ink), scaled here to 0..255.
    """

    classes: Sequence[str] = tuple("0123456789")
    unreadable: Sequence[str] = ()

    def __init__(self) -> None:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]  # noqa: PLC0415  # takes a second

        digits = load_digits()
        levels = np.round(digits.images * (255 / 16)).astype(np.uint8)
        self._pictures = [Image.fromarray(picture) for picture in levels]
        self._labels = [str(label) for label in digits.target]

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> Example:
        """Give a picture of mode L, white ink on black, and its label."""
        return Example(self._pictures[index], self.name(index), self._labels[index])

    def name(self, index: int) -> str:
        """Give "digit 17"."""
        return f"digit {index}"

    def label(self, index: int) -> str:
        """Give "0" to "9"."""
        return self._labels[index]

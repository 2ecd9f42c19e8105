"""Conditioning on another content of the same kind, as channels beside the noisy one: a low resolution, a sketch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner
from polydiff.core.condition import Condition, ConditionDims
from polydiff.data.codec import Codec
from polydiff.errors import DataError, UsageError

Read = Callable[[Path, Callable[[Any], Any]], Any]
"""(file, use) -> what `use` makes of the file's content."""

_LINEAR = ("linear", "bilinear", "trilinear")


class TensorInput(Conditioner):
    """A content, encoded by the model's codec, and a channel of ones that says that it is there.

    Of the fact `content` with `shrink` above 1, the network learns to enlarge: `conditions: {content: {name: tensor,
    shrink: 4}}`. Any other fact is a content that a source gives beside the example's own, or the path of its file: a
    sketch, a mask, ...
    Raw values are arrays of the codec's shape.

    Parameters
    ----------
    codec
        The model's.
    read
        Reads files of the model's kind.
    shrink
        By which each size is divided, by the mean over so many values, and enlarged again, linearly.

    Raises
    ------
    UsageError
        When `shrink` does not divide the sizes of the codec's shape.
    """

    here: Tensor

    def __init__(self, codec: Codec, read: Read, *, shrink: int = 1) -> None:
        super().__init__()
        channels, *sizes = codec.shape
        if shrink < 1 or any(size % shrink for size in sizes):
            raise UsageError(f"conditioner 'tensor' cannot shrink {sizes} by {shrink}: it must divide them all")
        self.dims = ConditionDims(channels=channels + 1)
        self.shrink = shrink
        self.register_buffer("here", torch.zeros(()), persistent=False)
        self._given: tuple[Codec, Read] = codec, read  # the model's own, saved with it

    @property
    def codec(self) -> Codec:
        """The model's."""
        return self._given[0]

    def prepare(self, value: Any) -> NDArray[np.float32] | None:
        """Encode a content, or that of a file.

        Raises
        ------
        DataError
            When the value is neither, or the file cannot be read.
        """
        if value is None:
            return None
        if isinstance(value, Path):
            of_file: NDArray[np.float32] = self._given[1](value, self.prepare)
            return of_file
        if isinstance(value, str | int | float):
            raise DataError(f"{value!r} is no content of the model's kind; a source has to give one")
        x = self.codec.encode(value)[None]
        if self.shrink > 1:
            sizes = x.shape[2:]
            small = nn.functional.interpolate(x, [size // self.shrink for size in sizes], mode="area")
            x = nn.functional.interpolate(small, list(sizes), mode=_LINEAR[len(sizes) - 1], align_corners=False)
        encoded: NDArray[np.float32] = x[0].numpy()
        return encoded

    def parse(self, text: str) -> NDArray[np.float32]:
        """Read the content of a file."""
        try:
            value: NDArray[np.float32] = self._given[1](Path(text).expanduser(), self.prepare)
        except DataError as error:
            raise UsageError(str(error)) from error
        return value

    def describe(self, value: NDArray[np.float32]) -> str:
        """Say how large it is."""
        return "x".join(map(str, value.shape[1:]))

    def forward(self, values: Sequence[NDArray[np.float32] | None]) -> Condition:
        """Stack the contents."""
        blank = torch.zeros(1 + self.codec.shape[0], *self.codec.shape[1:])
        channels = torch.stack([blank if value is None else _marked(value) for value in values])
        return Condition(channels=channels.to(self.here.device))


def _marked(value: NDArray[np.float32]) -> Tensor:
    """Add the channel that says that there is something."""
    x = torch.from_numpy(value)
    return torch.cat((x, torch.ones_like(x[:1])))

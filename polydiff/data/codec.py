"""Between a file's content and the tensor that is diffused."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Stored:
    """What the folder of a codec trained before says of it.

    Attributes
    ----------
    options
        As a recipe has them: what the codec is made from.
    tensors
        By name, of its state.
    """

    options: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


class Codec(nn.Module, ABC):
    """Encoder and decoder of one modality; its parameters and buffers, if any, are saved with the model.

    The tensors should have about unit variance and zero mean, float32.

    Attributes
    ----------
    windowed
        Whether a sample longer than `shape` along the last axis is generated in overlapping windows of that length
        that share one denoised signal, and not by the network in one piece.
    exchangeable
        Whether the positions of an encoded example are draws of one distribution, as a cloud's points are of a surface.
    folder
        The option by which a recipe names a folder that the codec was stored in; empty where there is none. The engine
        reads it, and fills in the options that it gives.
    """

    windowed: bool = False
    exchangeable: ClassVar[bool] = False
    folder: ClassVar[str] = ""

    @classmethod
    def stored(cls, folder: Path, modality: str) -> Stored:
        """Read the folder that a recipe names; only where `cls.folder` is an option.

        Raises
        ------
        PolydiffError
            When it holds no such codec, or one of another modality.
        """
        raise NotImplementedError

    @property
    @abstractmethod
    def channels(self) -> int:
        """The size of the first dimension of an encoded example."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of one encoded example as trained on, (C, *)."""

    @abstractmethod
    def shape_for(self, size: str) -> tuple[int, ...]:
        """Read a size as the user gives it ("96", "96x64", "2.5s", ...); raise `UsageError` for nonsense."""

    def fit(self, contents: Iterable[Any]) -> None:
        """Measure what the codec needs of the data, into buffers; called once, before training.

        Parameters
        ----------
        contents
            All that is trained on, in random order: the first some hundred are often enough.
        """

    @abstractmethod
    def encode(self, content: Any) -> Tensor:
        """Make a tensor of `self.shape`, float32 on the CPU: a function of the content and the codec's state alone."""

    def mask(self, content: Any) -> Tensor | None:
        """Say which part of an encoded content is learnt, with 1 or 0, float32, broadcastable to `self.shape`.

        `None` is all of it.
        What is masked out, such as padding, does not count in the loss. A codec gives masks of one shape for all
        contents, or none.
        """
        return None

    @abstractmethod
    def decode(self, x: Tensor) -> Sequence[Any]:
        """Make contents of a batch (B, C, *)."""

    def cut(self, content: Any, size: str) -> Any:
        """Cut a decoded content of `shape_for(size)`, which may have been rounded up, to exactly `size`."""
        return content

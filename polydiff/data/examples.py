"""From a source to the tensors of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from polydiff.data.augmentation import Augmentation
from polydiff.data.codec import Codec
from polydiff.data.encoded import Encoded, EncodedCache
from polydiff.data.example import CONTENT
from polydiff.data.order import Order, locate, permutation
from polydiff.data.source import Source
from polydiff.errors import DataError


@dataclass(frozen=True, slots=True)
class Item:
    """One example as the network sees it.

    Attributes
    ----------
    x
        (C, *), encoded.
    conditions
        A raw value for each conditioner; `None` where the fact is not known.
    position
        Where in the run it stands.
    mask
        Which part of `x` is learnt: broadcastable to it, 1 or 0; `None` is all.
    unreadable
        One line for each item that was passed over to get this one.
    """

    x: Tensor
    conditions: dict[str, Any]
    position: int
    mask: Tensor | None = None
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """Items side by side.

    Attributes
    ----------
    x
        (B, C, *), encoded.
    conditions
        B raw values for each conditioner.
    positions
        (B,) int64.
    mask
        As that of the items, (B, ...).
    unreadable
        One line for each item that was passed over.
    """

    x: Tensor
    conditions: dict[str, list[Any]]
    positions: Tensor
    mask: Tensor | None = None
    unreadable: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Move `x` and its mask; positions and raw conditions stay on the CPU, where they are read."""
        mask = None if self.mask is None else self.mask.to(device, non_blocking=non_blocking)
        return replace(self, x=self.x.to(device, non_blocking=non_blocking), mask=mask)

    def pin_memory(self) -> Batch:
        """Make `x` and its mask fit for asynchronous copies; a `DataLoader` calls this."""
        return replace(self, x=self.x.pin_memory(), mask=None if self.mask is None else self.mask.pin_memory())


class ExampleSet(Dataset[Item]):
    """Items of a source, addressed by their position in a run.

    Position p belongs to epoch p // len(self); each epoch visits every item once, in an order of its own, unless
    `order` says otherwise.
    An item depends on (seed, position) alone: not on what was read before, nor on the process that reads it.

    Parameters
    ----------
    indices
        Which items of the source take part.
    augment
        Changes made to each content before it is encoded, in turn.
    prepare
        For each condition, what makes a raw value of the example's fact of that name; the fact "content" is what is
        encoded, with all changes made to it.
    on_error
        "stop" raises the `DataError` of an item that cannot be read; "skip" puts the item that is next in the
        epoch's order in its place.
    order
        Which of `indices` stands at each place of an epoch.
    shuffle
        False visits the items in the order of `indices`.
    cache
        Keeps items as they are encoded, where nothing is changed before.
    """

    def __init__(
        self,
        source: Source,
        indices: Sequence[int] | np.ndarray[Any, np.dtype[np.int64]],
        codec: Codec,
        *,
        augment: Sequence[Augmentation] = (),
        prepare: Mapping[str, Callable[[Any], Any]] | None = None,
        seed: int = 0,
        on_error: Literal["skip", "stop"] = "skip",
        order: Order = permutation,
        shuffle: bool = True,
        cache: EncodedCache | None = None,
    ) -> None:
        assert cache is None or not augment, "what is encoded differs from epoch to epoch"
        if not len(indices):
            raise DataError("there is no item in this set of examples")
        if on_error == "stop" and source.unreadable:
            raise DataError(f"{source.unreadable[0]}; data.on_error=skip leaves it out")
        self.source = source
        self.indices = np.asarray(indices, dtype=np.int64)
        self.codec = codec
        self.augment = tuple(augment)
        self.prepare = dict(prepare or {})
        self.seed = seed
        self.on_error = on_error
        self.order = order
        self.shuffle = shuffle
        self.cache = cache

    def __len__(self) -> int:
        """Count the items of an epoch."""
        return len(self.indices)

    def __getitem__(self, position: int) -> Item:
        """Give the item at a position of the run: any non-negative integer.

        Raises
        ------
        DataError
            When it cannot be read and `on_error` is "stop", or when no item can.
        """
        epoch, place = locate(position, len(self))
        unreadable: list[str] = []
        for step in range(len(self)):
            try:
                x, mask, conditions = self._read(position, self._index(epoch, (place + step) % len(self)))
            except DataError as error:
                if self.on_error == "stop":
                    raise
                unreadable.append(str(error))
            else:
                return Item(x, conditions, position, mask, tuple(unreadable))
        raise DataError(f"none of the {len(self)} items can be read; the last: {unreadable[-1]}")

    def index_at(self, position: int) -> int:
        """Tell which item of the source stands at a position, readable or not."""
        return self._index(*locate(position, len(self)))

    def _index(self, epoch: int, place: int) -> int:
        order = self.order(len(self), self.seed, epoch) if self.shuffle else range(len(self))
        return int(self.indices[order[place]])

    def _read(self, position: int, index: int) -> tuple[Tensor, Tensor | None, dict[str, Any]]:
        encode = partial(self._encode, position, index)
        encoded = encode() if self.cache is None else self.cache.item(index, encode)
        example = encoded.example
        if example.content is None and CONTENT in self.prepare:
            example = self.source[index]
        try:
            conditions = {key: prepare(example.get(key)) for key, prepare in self.prepare.items()}
        except DataError as error:
            raise DataError(f"{example.name}: {error}") from error
        return encoded.x, encoded.mask, conditions

    def _encode(self, position: int, index: int) -> Encoded:
        example = self.source[index]
        content = example.content
        try:
            if self.augment:
                rng = np.random.default_rng((self.seed, position, index))
                for change in self.augment:
                    content = change(content, rng)
            x, mask = self.codec.encode(content), self.codec.mask(content)
        except DataError as error:
            raise DataError(f"{example.name}: {error}") from error
        return Encoded(x, mask, replace(example, content=content))


def collate(items: Sequence[Item]) -> Batch:
    """Put items of one shape side by side."""
    masks = [item.mask for item in items if item.mask is not None]
    assert len(masks) in {0, len(items)}, "a codec masks all contents, or none"
    return Batch(
        x=torch.stack([item.x for item in items]),
        conditions={key: [item.conditions[key] for item in items] for key in items[0].conditions},
        positions=torch.tensor([item.position for item in items], dtype=torch.int64),
        mask=torch.stack(masks) if masks else None,
        unreadable=tuple(dict.fromkeys(line for item in items for line in item.unreadable)),
    )

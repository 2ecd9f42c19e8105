"""Reading every item of a source once, and what is found in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from polydiff.data.description import Description
from polydiff.data.file import digest
from polydiff.data.folder import FolderSource
from polydiff.data.order import permutation
from polydiff.data.source import Source
from polydiff.errors import DataError

LICENCES = frozenset(("license", "licence", "rights", "copyright"))
"""The names of an attribute that says under what terms an item may be used."""

_FENCE = 3.0
"""Interquartile ranges beyond the quartiles: what Tukey calls far out."""

_LEAST_FACTOR = 1.25
"""From the median; less is no other size to speak of."""

Describe = Callable[[Any], Description]


@dataclass(frozen=True, slots=True)
class Seen:
    """One item that has been read.

    Attributes
    ----------
    fault
        The message of the `DataError` when it cannot be read.
    keys
        Hashes of its content and of its file: items that share one are the same.
    """

    index: int
    fault: str | None = None
    keys: frozenset[str] = frozenset()
    flaw: str | None = None
    sizes: Mapping[str, float] = field(default_factory=dict)
    licence: str | None = None


@dataclass(frozen=True, slots=True)
class Odd:
    """An item whose size is far from that of the others."""

    index: int
    size: str
    value: float
    median: float


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found in a source.

    Attributes
    ----------
    items
        How many the source has; those that it left out itself do not count.
    readable
        The indices of those that could be read.
    unreadable
        One line for each that could not, or that the source left out: its name and why.
    duplicates
        Groups of indices whose files or contents are the same.
    odd
        The items whose size is an outlier.
    flawed
        The indices of contents that nothing can be learnt of, and why.
    unlabelled
        The indices of items without a label, where others have one.
    classes
        How many readable items each label has, the most frequent first.
    sizes
        For each measure the least, the median and the largest.
    licences
        How many readable items are under which terms, `None` for those that say none; empty when no item says any.
    """

    items: int
    readable: list[int]
    unreadable: list[str]
    duplicates: list[list[int]]
    odd: list[Odd]
    flawed: list[tuple[int, str]]
    unlabelled: list[int]
    classes: dict[str, int]
    sizes: dict[str, tuple[float, float, float]]
    licences: dict[str | None, int]


def survey(
    source: Source, describe: Describe | None, *, workers: int = 0, on_item: Callable[[int], None] = lambda _: None
) -> Survey:
    """Read every item once.

    Parameters
    ----------
    describe
        The modality's; without one, sizes, flaws and equal contents of different files are not looked for.
    workers
        Processes that read; 0 reads in this one.
    on_item
        Told of each item that is done, by 1.

    Raises
    ------
    DataError
        When no item can be read.
    """
    seen = []
    for each in _read(source, describe, workers):
        seen.append(each)
        on_item(1)
    read = [each for each in seen if each.fault is None]
    faults = [each.fault for each in seen if each.fault is not None]
    if not read:
        raise DataError(f"none of the {len(source)} items can be read; the last: {[*source.unreadable, *faults][-1]}")
    labels = Counter(source.label(each.index) for each in read)
    unlabelled = [each.index for each in read if source.label(each.index) is None] if len(labels) > 1 else []
    licences = Counter(each.licence for each in read)
    return Survey(
        items=len(source),
        readable=[each.index for each in read],
        unreadable=[*source.unreadable, *faults],
        duplicates=_duplicates(read),
        odd=_odd(read),
        flawed=[(each.index, each.flaw) for each in read if each.flaw is not None],
        unlabelled=unlabelled,
        classes={label: count for label, count in labels.most_common() if label is not None},
        sizes={name: (min(values), float(np.median(values)), max(values)) for name, values in _sizes(read).items()},
        licences={} if set(licences) == {None} else dict(licences.most_common()),
    )


def sample(source: Source, found: Survey, count: int) -> list[int]:
    """Choose readable items at random, the same each time, and sort them by label and name."""
    order = permutation(len(found.readable), seed=0, epoch=0)[:count]
    chosen = [found.readable[place] for place in order]
    return sorted(chosen, key=lambda index: (source.label(index) or "", source.name(index)))


@dataclass(frozen=True, slots=True)
class _Reader(Dataset[Seen]):
    source: Source
    describe: Describe | None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Seen:
        try:
            example = self.source[index]
        except DataError as error:
            return Seen(index, fault=str(error))
        licence = next((str(value) for key, value in example.attributes.items() if key.lower() in LICENCES), None)
        file = self.source.file(index) if isinstance(self.source, FolderSource) else None
        keys = set() if file is None else {digest(file)}
        if self.describe is None:
            return Seen(index, keys=frozenset(keys), licence=licence)
        try:
            described = self.describe(example.content)
        except DataError as error:  # contents may be read when they are used
            return Seen(index, fault=f"{example.name}: {error}")
        keys.add(described.fingerprint)
        return Seen(index, None, frozenset(keys), described.flaw, dict(described.sizes), licence)


def _read(source: Source, describe: Describe | None, workers: int) -> Iterator[Seen]:
    loader: DataLoader[Seen] = DataLoader(_Reader(source, describe), batch_size=None, num_workers=workers)
    return iter(loader)


def _duplicates(read: Sequence[Seen]) -> list[list[int]]:
    """Group items that share a key, or each of which shares one with a third."""
    parent = {each.index: each.index for each in read}

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    first: dict[str, int] = {}
    for each in read:
        for key in each.keys:
            parent[root(each.index)] = root(first.setdefault(key, each.index))
    groups: dict[int, list[int]] = {}
    for each in read:
        groups.setdefault(root(each.index), []).append(each.index)
    return [group for group in groups.values() if len(group) > 1]


def _sizes(read: Sequence[Seen]) -> dict[str, list[float]]:
    sizes: dict[str, list[float]] = {}
    for each in read:
        for name, value in each.sizes.items():
            sizes.setdefault(name, []).append(value)
    return sizes


def _odd(read: Sequence[Seen]) -> list[Odd]:
    """Find outliers by Tukey's far fences on the logarithms of each measure."""
    found = []
    for name, values in _sizes(read).items():
        low, middle, high = np.quantile(np.log(values), (0.25, 0.5, 0.75))
        reach = max(_FENCE * (high - low), np.log(_LEAST_FACTOR))
        for each in read:
            value = each.sizes.get(name)
            if value is not None and not low - reach <= np.log(value) <= high + reach:
                found.append(Odd(each.index, name, value, float(np.exp(middle))))
    return sorted(found, key=lambda odd: odd.index)

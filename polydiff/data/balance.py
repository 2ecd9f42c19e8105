"""Some items more often than others: shares of every epoch, by label and by source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from polydiff.data.order import deal, permutation
from polydiff.errors import DataError, unknown

Balance = Literal["class"] | None
"""What has the same share each: classes, or else items."""


class Shares:
    """An order in which groups of items have given shares of each epoch; called as `permutation` is.

    An epoch has as many places as there are items. The items of a group are dealt like cards: each comes once before
    any comes again, in whatever epoch that may be.

    Parameters
    ----------
    groups
        (N,) int: that each item belongs to, from 0.
    shares
        Of each group, above 0, in any unit.

    Raises
    ------
    ValueError
        When a group has not one place in an epoch.
    """

    def __init__(self, groups: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
        self.members = [np.flatnonzero(groups == group) for group in range(len(shares))]
        self.quotas = _quotas(len(groups), shares)
        if not self.quotas.all():
            raise ValueError(f"group {int(self.quotas.argmin())} has no place in an epoch of {len(groups)}")
        self._kept: dict[tuple[int, int], NDArray[np.int64]] = {}

    def __call__(self, length: int, seed: int, epoch: int) -> NDArray[np.int64]:
        """Give which item stands at each place of an epoch, (length,)."""
        assert length == self.quotas.sum(), "another number of items"
        if (seed, epoch) not in self._kept:
            while len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
            self._kept[seed, epoch] = self._epoch(length, seed, epoch)
        return self._kept[seed, epoch]

    def _epoch(self, length: int, seed: int, epoch: int) -> NDArray[np.int64]:
        turns = np.repeat(np.arange(len(self.quotas)), self.quotas)[permutation(length, seed, epoch)]
        order = np.empty(length, np.int64)
        for group, (members, quota) in enumerate(zip(self.members, self.quotas.tolist(), strict=True)):
            order[turns == group] = members[deal(len(members), seed, group, epoch * quota, quota)]
        return order


def weighted(
    labels: Sequence[str | None],
    sources: Sequence[int],
    *,
    balance: Balance = None,
    weights: Mapping[str, float] | None = None,
    source_weights: Sequence[float] = (1.0,),
) -> Shares:
    """Make the order in which labels and sources have the shares that a recipe asks for.

    Parameters
    ----------
    labels, sources
        Of the items.
    balance
        "class" gives all labels the same share, `None` each as much as it has items; before weights.
    weights
        How many times as often the items of a label come; 1 for those that are not named.
    source_weights
        How many times as often the items of each source come.

    Raises
    ------
    DataError
        When an item has no label and labels count, no item has a label that is weighted, or a share is less than one
        item of an epoch.
    """
    weights = weights or {}
    if None in labels and (balance or weights):
        missing = f"{labels.count(None)} of {len(labels)} items have no label"
        raise DataError(f"data.balance and data.weights go by label, and {missing}; `polydiff data check` names them")
    known = dict.fromkeys(labels)
    for label in weights:
        if label not in known:
            raise DataError(f"data.weights: {unknown('label', label, map(str, known))}")
    counts = Counter(zip(labels, sources, strict=True))
    shares = {group: count * source_weights[group[1]] for group, count in counts.items()}
    if balance == "class":
        totals = {each: sum(share for (label, _), share in shares.items() if label == each) for each in known}
        shares = {group: share / totals[group[0]] for group, share in shares.items()}
    shares = {group: share * weights.get(str(group[0]), 1.0) for group, share in shares.items()}
    numbers = {group: number for number, group in enumerate(sorted(counts, key=str))}
    groups = np.array([numbers[group] for group in zip(labels, sources, strict=True)])
    try:
        return Shares(groups, np.array([shares[group] for group in numbers]))
    except ValueError as error:
        lightest, _ = min(shares, key=lambda group: shares[group])
        least = f"the share of the label '{lightest}'" if lightest is not None else "the share of a source"
        raise DataError(f"{least} is less than one of {len(labels)} items: weights are too far apart") from error


def _quotas(places: int, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Divide places in proportion to shares, by the largest remainders."""
    exact = places * shares / shares.sum()
    quotas: NDArray[np.int64] = np.floor(exact).astype(np.int64)
    largest = np.argsort(quotas - exact, kind="stable")[: places - quotas.sum()]
    quotas[largest] += 1
    return quotas

"""The levels of a U-Net from the options that users give."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from polydiff.errors import UsageError
from polydiff.nn.unet import Level


def levels(
    channels: int,
    multipliers: Sequence[int],
    *,
    blocks: int | Sequence[int],
    attention: Collection[int],
    factors: int | Sequence[int] = 2,
) -> list[Level]:
    """Lay out the levels from the full resolution to the coarsest.

    Parameters
    ----------
    channels
        Base width, at least 1.
    multipliers
        Width of each level over the base width, at least 1; their number is that of the levels.
    blocks
        Of each level, or of all, on the way down; at least 0.
    attention
        Levels at which attention stands; negative ones count from the coarsest, -1.
    factors
        By which the sizes are divided from each level to the next, or from all; at least 1.

    Raises
    ------
    UsageError
        When an option is out of its range or its number does not fit that of the levels.
    """
    count = len(multipliers)
    _at_least(1, channels=channels, multipliers=min(multipliers, default=0))
    each_blocks = _each("blocks", blocks, count, f"{count} levels")
    each_factor = _each("factors", factors, count - 1, f"{count - 1} steps between {count} levels")
    _at_least(0, blocks=min(each_blocks))
    _at_least(1, factors=min(each_factor, default=1))
    attended = _resolved(attention, count)
    return [
        Level(channels * multiplier, blocks_here, attention=i in attended, factor=factor)
        for i, (multiplier, blocks_here, factor) in enumerate(
            zip(multipliers, each_blocks, (1, *each_factor), strict=True)
        )
    ]


def _each(name: str, value: int | Sequence[int], count: int, wanted: str) -> Sequence[int]:
    each = (value,) * count if isinstance(value, int) else value
    if len(each) != count:
        raise UsageError(f"{name} are {len(each)} numbers for {wanted}; give {count}, or one for all")
    return each


def _at_least(lowest: int, **values: int) -> None:
    for name, value in values.items():
        if value < lowest:
            raise UsageError(f"{name} must be at least {lowest}")


def _resolved(attention: Collection[int], count: int) -> set[int]:
    """Resolve negative levels."""
    for level in attention:
        if not -count <= level < count:
            raise UsageError(f"attention at level {level}: there are levels 0 to {count - 1}, or -1 for the coarsest")
    return {level % count for level in attention}

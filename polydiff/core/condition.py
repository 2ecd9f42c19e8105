"""What a network is conditioned on: a vector, tokens and channels, each of which may be absent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ConditionDims:
    """The widths of the three parts that a backbone is built for; 0 where a part is never given."""

    vector: int = 0
    tokens: int = 0
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """Three optional parts; an absent part, a zero vector, zero channels and tokens of which none is unmasked mean the
    same: unconditional.

    Attributes
    ----------
    vector
        (B, D), added to the time embedding.
    tokens
        (B, L, D), attended to by cross-attention.
    mask
        (B, L) bool, true where a token counts; `None` when all do.
    channels
        (B, C, *), concatenated to the network's input.
    perturbed
        (B, L) bool, true where one of the network's L self-attentions passes its values on unmixed; no part of what
        is asked for, so that the unconditional counterpart has it as well.
    others
        What other networks that take part are told of the same samples, by the names that they go by.
    alone
        What each of the conditions that this one is made of asks for by itself, by name, for guidances that weigh
        them; of the parts and shapes of this one.
    avoided
        What guidance leads away from, in the place of the unconditional; of the parts and shapes of this one.
    """

    vector: Tensor | None = None
    tokens: Tensor | None = None
    mask: Tensor | None = None
    channels: Tensor | None = None
    perturbed: Tensor | None = None
    others: Mapping[str, Condition] = field(default_factory=dict)
    alone: Mapping[str, Condition] = field(default_factory=dict)
    avoided: Condition | None = None

    def __post_init__(self) -> None:
        assert self.mask is None or self.tokens is not None, "a mask without tokens"

    @property
    def asks(self) -> bool:
        """Whether it has a part that can ask for anything."""
        return any(part is not None for part in (self.vector, self.tokens, self.channels))

    def keep(self, kept: Tensor) -> Condition:
        """Make the samples unconditional where `kept`, (B,) bool, is false."""

        def part(x: Tensor | None) -> Tensor | None:
            return None if x is None else torch.where(kept.view(-1, *(1,) * (x.ndim - 1)), x, torch.zeros_like(x))

        mask = self.mask
        if self.tokens is not None:
            every = kept[:, None].expand(self.tokens.shape[:2])
            mask = every if mask is None else mask & every
        parts = part(self.vector), part(self.tokens), mask, part(self.channels), self.perturbed
        return self.map_carried(lambda each: each.keep(kept))._with(parts)

    def null(self) -> Condition:
        """Give the unconditional counterpart, of the same shapes."""
        first = next(x for x in self._parts() if x is not None)
        return self.keep(torch.zeros(first.shape[0], dtype=torch.bool, device=first.device))

    def counterpart(self) -> Condition:
        """Give what guidance leads away from: what is avoided, or else nothing asked for; of the same shapes."""
        plain = (self.null() if self.avoided is None else self.avoided)._parts()
        *asked, _ = plain
        return self.map_carried(Condition.counterpart)._with((*asked, self.perturbed))

    def __getitem__(self, index: slice | Tensor) -> Condition:
        """Select samples of the batch."""
        return self.map_carried(lambda each: each[index])._with(None if x is None else x[index] for x in self._parts())

    def to(self, device: torch.device) -> Condition:
        """Move every part."""
        return self.map_carried(lambda each: each.to(device))._with(
            None if x is None else x.to(device) for x in self._parts()
        )

    def map_carried(self, change: Callable[[Condition], Condition]) -> Condition:
        """Make a change to every condition that this one carries, and not to its own parts."""
        return replace(
            self,
            others={name: change(each) for name, each in self.others.items()},
            alone={name: change(each) for name, each in self.alone.items()},
            avoided=self.avoided and change(self.avoided),
        )

    def _with(self, parts: Iterable[Tensor | None]) -> Condition:
        """Put other parts in the place of these, in the order of `_parts`."""
        vector, tokens, mask, channels, perturbed = parts
        return replace(self, vector=vector, tokens=tokens, mask=mask, channels=channels, perturbed=perturbed)

    def _parts(self) -> tuple[Tensor | None, ...]:
        return self.vector, self.tokens, self.mask, self.channels, self.perturbed


def concatenate(conditions: Sequence[Condition]) -> Condition:
    """Join batches of conditions that have the same parts; a mask that some have is made up for the others."""
    if any(c.mask is not None for c in conditions):
        conditions = [replace(c, mask=_mask(c)) for c in conditions]
    first, parts = conditions[0], zip(*map(Condition._parts, conditions), strict=True)
    vector, tokens, mask, channels, perturbed = (None if part[0] is None else torch.cat(part) for part in parts)
    return Condition(
        vector,
        tokens,
        mask,
        channels,
        perturbed,
        others={name: concatenate([c.others[name] for c in conditions]) for name in first.others},
        alone={name: concatenate([c.alone[name] for c in conditions]) for name in first.alone},
        avoided=first.avoided and concatenate([c.avoided for c in conditions if c.avoided]),
    )


def add(conditions: Sequence[Condition]) -> Condition | None:
    """Merge the conditions of one batch: vectors add up, tokens and channels stand side by side."""
    if not conditions:
        return None
    vectors = [c.vector for c in conditions if c.vector is not None]
    channels = [c.channels for c in conditions if c.channels is not None]
    tokens = [c for c in conditions if c.tokens is not None]
    return Condition(
        vector=torch.stack(vectors).sum(0) if vectors else None,
        tokens=torch.cat([c.tokens for c in tokens if c.tokens is not None], 1) if tokens else None,
        mask=torch.cat([_mask(c) for c in tokens], 1) if tokens else None,
        channels=torch.cat(channels, 1) if channels else None,
    )


def _mask(condition: Condition) -> Tensor:
    assert condition.tokens is not None
    if condition.mask is not None:
        return condition.mask
    return torch.ones(condition.tokens.shape[:2], dtype=torch.bool, device=condition.tokens.device)

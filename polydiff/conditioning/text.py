"""Conditioning on a text, by an encoder that is trained with the network and needs no vocabulary and no download."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner, FactSource, absent, known_facts
from polydiff.conditioning.pieces import LONGEST, Piece, Unit, pieces
from polydiff.conditioning.prompt import Span, format_prompt, parse_prompt
from polydiff.core.condition import Condition, ConditionDims
from polydiff.errors import DataError, UsageError
from polydiff.nn.transformer import TransformerLayer

BYTES = 256
_BLANK = BYTES * LONGEST
"""Stands where a piece has no further byte."""

SCALE = 0.5
"""The standard deviation of the table's rows; the sum of a word's has about unit variance."""


class Text(Conditioner):
    """A token for each word or byte, made by a small transformer, and their mean as a vector.

    A piece's embedding is the sum of a learned vector for each of its bytes at each place in it: two pieces have the
    same only if they are spelt the same. It is the network's business what they mean; that of a word that is not in
    the training data, nobody knows. Case is not told apart.

    Raw values are lists of spans, `[["a ", 1.0], ["red", 1.3], [" circle", 1.0]]`; a weight multiplies the tokens that
    the encoder makes of the span, and their share of the vector.

    Parameters
    ----------
    unit
        What a token is: "words" or "bytes".
    length
        The most tokens of a text.
    too_long
        What to do with a text that has more: "refuse" it, or "truncate" it to its first ones.
    width
        Of a token and of the vector, a multiple of 32.
    layers
        Of the transformer.
    pooled
        Whether the tokens' mean is given as a vector, too.

    Raises
    ------
    UsageError
        When an option is out of its range.
    """

    takes_prompts: ClassVar[bool] = True

    def __init__(
        self,
        *,
        unit: Unit = "words",
        length: int = 64,
        too_long: Literal["refuse", "truncate"] = "refuse",
        width: int = 128,
        layers: int = 2,
        pooled: bool = True,
    ) -> None:
        super().__init__()
        if length < 1 or width < 1 or layers < 0:
            raise UsageError(
                f"conditioner 'text' needs length >= 1, width >= 1 and layers >= 0, got {length}, {width} and {layers}"
            )
        self.dims = ConditionDims(vector=width if pooled else 0, tokens=width)
        self.unit: Unit = unit
        self.length = length
        self.truncates = too_long == "truncate"
        self.spelling = nn.EmbeddingBag(_BLANK + 1, width, mode="sum", padding_idx=_BLANK)
        nn.init.normal_(self.spelling.weight, std=SCALE)
        self.place = nn.Parameter(SCALE * torch.randn(length, width))
        self.layers = nn.ModuleList(TransformerLayer(width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pooled = nn.Linear(width, width, bias=False) if pooled else None

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """See that there are texts at all.

        Raises
        ------
        DataError
            When no example has the fact.
        """
        if not any(islice(known_facts(source, name), 1)):
            raise absent(source, name)
        return dict(options)

    def prepare(self, value: Any) -> list[Span] | None:
        """Take a text as it is, without weights."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise DataError(f"{value!r} is no text")
        spans: list[Span] = [(value, 1.0)]
        if too_long := self._too_long(spans):
            raise DataError(too_long)
        return spans

    def parse(self, text: str) -> list[Span]:
        """Read a prompt, with weights as in `a (red:1.3) circle`."""
        spans = parse_prompt(text)
        if too_long := self._too_long(spans):
            raise UsageError(too_long)
        return spans

    def unread(self, text: str) -> str:
        """Say what is cut off a prompt."""
        left_out = pieces(parse_prompt(text), self.unit)[self.length :]
        spelt = (b"" if self.unit == "bytes" else b" ").join(piece.spelling for piece in left_out)
        return spelt.decode("utf-8", "replace")

    def describe(self, value: Sequence[Span]) -> str:
        """Write the prompt."""
        return format_prompt([(text, weight) for text, weight in value])

    def forward(self, values: Sequence[Sequence[Span] | None]) -> Condition:
        """Encode the texts: always `length` tokens, of which those that there are count."""
        read = [[] if value is None else pieces(value, self.unit)[: self.length] for value in values]
        longest = max(1, *map(len, read))
        device = self.place.device
        spelling, weights = (x.to(device) for x in _tables(read, longest))
        mask = spelling[..., 0] != _BLANK
        h = self.spelling(spelling.flatten(0, 1)).unflatten(0, spelling.shape[:2]) + self.place[:longest]
        for layer in self.layers:
            h = layer(h, mask)
        h = torch.where(mask[..., None], self.norm(h) * weights[..., None], 0.0)
        vector = None
        if self.pooled is not None:
            vector = self.pooled(h.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))
        rest = self.length - longest
        tokens, mask = nn.functional.pad(h, (0, 0, 0, rest)), nn.functional.pad(mask, (0, rest))
        return Condition(vector=vector, tokens=tokens, mask=mask)

    def _too_long(self, spans: Sequence[Span]) -> str | None:
        """Say why a text is refused."""
        count = len(pieces(spans, self.unit))
        if count <= self.length or self.truncates:
            return None
        text = "".join(text for text, _ in spans)
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        return f"the text '{shown}' has {count} {self.unit}; {self.length} are read at most"


def _tables(texts: Sequence[Sequence[Piece]], longest: int) -> tuple[Tensor, Tensor]:
    """Give the rows of the bytes of every piece, (B, longest, LONGEST), and the weights, (B, longest)."""
    rows = torch.tensor([[*map(_rows, text), *[[_BLANK] * LONGEST] * (longest - len(text))] for text in texts])
    weights = torch.tensor([[*(piece.weight for piece in text), *[1.0] * (longest - len(text))] for text in texts])
    return rows, weights


def _rows(piece: Piece) -> list[int]:
    rows = [place * BYTES + byte for place, byte in enumerate(piece.spelling)]
    return rows + [_BLANK] * (LONGEST - len(rows))

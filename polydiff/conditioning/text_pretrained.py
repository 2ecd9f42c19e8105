"""Conditioning on a text by an encoder of transformers that is frozen: T5, CLIP's, BERT, ..."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from polydiff.conditioning.conditioner import Conditioner, FactSource
from polydiff.conditioning.encoder import Encoded, cache_folder, load_encoder
from polydiff.conditioning.prompt import Span, format_prompt, merged, parse_prompt
from polydiff.conditioning.text import Text
from polydiff.core.condition import Condition, ConditionDims
from polydiff.data.cache import Cache
from polydiff.errors import DataError, UsageError

REMEMBERED = 4096
"""Encoded texts that are kept in memory, those that were needed last."""


class TextPretrained(Conditioner):
    """A token for each of a frozen encoder's last hidden states, and their mean as a vector, each projected.

    The encoder is named, not saved with the model: whoever uses the model needs it, too. Raw values are as those of
    `Text`; a text without anything but blanks is no text.

    Parameters
    ----------
    model
        A folder as transformers saves it, or a name on the Hugging Face hub. Weights are read from safetensors alone,
        and no code that comes with them is run.
    revision
        Of the hub's model.
    digest
        What its weights and vocabulary must be, as SHA-256; those that training finds when left out.
    length
        The most tokens of a text, with those that the tokenizer adds.
    too_long
        What to do with a text that has more: "refuse" it, or "truncate" it to its first ones.
    width
        Of a token and of the vector.
    pooled
        Whether the tokens' mean is given as a vector, too.
    cache
        Whether to keep the hidden states of texts on disk, so that each is encoded once: see `cache_folder`.

    Raises
    ------
    UsageError
        When there is no such encoder, it is another than `digest` says, or an option is out of its range.
    """

    takes_prompts: ClassVar[bool] = True

    def __init__(
        self,
        *,
        model: str,
        revision: str | None = None,
        digest: str | None = None,
        length: int = 64,
        too_long: Literal["refuse", "truncate"] = "refuse",
        width: int = 128,
        pooled: bool = True,
        cache: bool = False,
    ) -> None:
        super().__init__()
        self.encoder = load_encoder(model, revision)
        if digest is not None and digest != self.encoder.digest:
            raise UsageError(f"{model} is not the text encoder that the model was trained with")
        longest = self.encoder.longest
        if not length >= 1 or width < 1 or (longest is not None and length > longest):
            raise UsageError(
                f"conditioner 'text-pretrained' needs width >= 1 and a length of at least 1"
                f"{f' and at most {longest}, what the encoder reads' if longest else ''}, got {width} and {length}"
            )
        self.dims = ConditionDims(vector=width if pooled else 0, tokens=width)
        self.length = length
        self.truncates = too_long == "truncate"
        self.norm = nn.LayerNorm(self.encoder.width)
        self.project = nn.Linear(self.encoder.width, width)
        self.pooled = nn.Linear(width, width, bias=False) if pooled else None
        self._cache = Cache(cache_folder()) if cache else None
        self._remembered: OrderedDict[str, Encoded] = OrderedDict()

    @classmethod
    def options_from(cls, source: FactSource, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """See that there are texts, and write down which encoder it is: its folder in full, and its digest."""
        Text.options_from(source, name, {})
        model = options["model"]
        folder = Path(model).expanduser()
        named = str(folder.absolute()) if folder.is_dir() else model
        digest = options.get("digest") or load_encoder(named, options.get("revision")).digest
        return {**options, "model": named, "digest": digest}

    def prepare(self, value: Any) -> list[Span] | None:
        """Take a text as it is, without weights."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise DataError(f"{value!r} is no text")
        if too_long := self._too_long(value):
            raise DataError(too_long)
        return [(value, 1.0)]

    def parse(self, text: str) -> list[Span]:
        """Read a prompt, with weights as in `a (red:1.3) circle`."""
        spans = parse_prompt(text)
        if too_long := self._too_long(_plain(spans)):
            raise UsageError(too_long)
        if not self.encoder.tokenizer.is_fast and any(weight != 1 for _, weight in spans):
            raise UsageError("this encoder's tokenizer does not say where tokens stand, so that no part can be weighed")
        return spans

    def unread(self, text: str) -> str:
        """Say what is cut off a prompt."""
        tokenizer = self.encoder.tokenizer
        ids = tokenizer(_plain(parse_prompt(text)), add_special_tokens=False, verbose=False)["input_ids"]
        read = self.length - tokenizer.num_special_tokens_to_add()
        left_out: str = tokenizer.decode(ids[max(0, read) :])
        return left_out.strip()

    def describe(self, value: Sequence[Span]) -> str:
        """Write the prompt."""
        return format_prompt([(text, weight) for text, weight in value])

    def forward(self, values: Sequence[Sequence[Span] | None]) -> Condition:
        """Project the texts' hidden states: always `length` tokens, of which those that there are count."""
        device = self.project.weight.device
        spans = [merged([(text, weight) for text, weight in value or ()]) for value in values]
        hidden = torch.zeros(len(spans), self.length, self.encoder.width)
        mask = torch.zeros(len(spans), self.length, dtype=torch.bool)
        weights = torch.ones(len(spans), self.length)
        encoded = self._encode(sorted({_plain(each) for each in spans if _plain(each).strip()}), device)
        for row, each in enumerate(spans):
            if (text := encoded.get(_plain(each))) is not None:
                count = len(text.tokens)
                hidden[row, :count] = torch.tensor(text.tokens)
                mask[row, :count] = True
                weights[row, :count] = _weights(each, text.starts)
        return self._condition(hidden.to(device), mask.to(device), weights.to(device))

    def _condition(self, hidden: Tensor, mask: Tensor, weights: Tensor) -> Condition:
        h = self.project(self.norm(hidden.to(self.norm.weight.dtype))) * weights[..., None]
        tokens = torch.where(mask[..., None], h, 0.0)
        vector = None
        if self.pooled is not None:
            vector = self.pooled(tokens.sum(1) / mask.sum(1, keepdim=True).clamp(min=1))
        return Condition(vector=vector, tokens=tokens, mask=mask)

    def _encode(self, texts: Sequence[str], device: torch.device) -> dict[str, Encoded]:
        """Give what each text is to the encoder: remembered, kept on disk, or made now."""
        encoded: dict[str, Encoded] = {}
        for text in texts:
            if text in self._remembered:
                self._remembered.move_to_end(text)
                encoded[text] = self._remembered[text]
            else:
                encoded[text] = self._remembered[text] = self._kept(text, device)
        while len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        return encoded

    def _kept(self, text: str, device: torch.device) -> Encoded:
        def make() -> dict[str, np.ndarray[Any, Any]]:
            (one,) = self.encoder([text], self.length, device)
            return {"tokens": one.tokens, "starts": one.starts}

        if self._cache is None:
            return Encoded(**make())
        key = {"encoder": self.encoder.digest, "length": self.length, "text": text}
        return Encoded(**self._cache.arrays(key, make))

    def _too_long(self, text: str) -> str | None:
        """Say why a text is refused."""
        count = len(self.encoder.ids(text))
        if count <= self.length or self.truncates:
            return None
        shown = text if len(text) <= 40 else f"{text[:39]}…"
        return f"the text '{shown}' has {count} tokens; {self.length} are read at most"


def _plain(spans: Sequence[Span]) -> str:
    return "".join(text for text, _ in spans)


def _weights(spans: Sequence[Span], starts: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
    """Give each token the weight of the character at which it begins."""
    each = [weight for text, weight in spans for _ in text]
    return torch.tensor([each[min(start, len(each) - 1)] for start in starts.tolist()])

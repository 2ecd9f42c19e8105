"""Items as a codec has encoded them, kept on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polydiff.data.cache import Arrays, Cache
from polydiff.data.example import Example
from polydiff.data.joined import Joined
from polydiff.data.source import Source
from polydiff.errors import PluginError

_X, _MASK, _FACTS = "x", "mask", "facts"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An item that has been encoded.

    Attributes
    ----------
    x
        (C, *), float32.
    mask
        Which part of it is learnt; `None` is all.
    example
        What it was made of; its content is `None` when it was not read.
    """

    x: Tensor
    mask: Tensor | None
    example: Example


class EncodedCache:
    """The encoded items of a source on disk: what is kept is neither read nor encoded again.

    An item is made anew when its file, its facts, the options of its source or the codec have changed, whatever the
    codec: its class, its options and its state, of which learned weights are a part.

    Parameters
    ----------
    options
        Of the source, as JSON has them; where it is `Joined`, of each of its sources.
    codec
        As `fingerprint` gives it; `encode` has to be a function of the content alone.
    """

    def __init__(self, cache: Cache, source: Source, options: Sequence[Mapping[str, Any]], codec: str) -> None:
        self.cache = cache
        self.source = source
        self.options = options
        self.codec = codec

    def item(self, index: int, encode: Callable[[], Encoded]) -> Encoded:
        """Give an item as it is kept, or else as `encode` makes it.

        Raises
        ------
        PolydiffError
            As `encode` does, and when the disk is full.
        PluginError
            When the source gives a fact that cannot be kept.
        """
        made: list[Encoded] = []

        def make() -> Arrays:
            made.append(encode())
            return _arrays(made[0])

        arrays = self.cache.arrays(self._key(index), make)
        return made[0] if made else self._encoded(index, arrays)

    def _key(self, index: int) -> dict[str, Any]:
        place, within, source = 0, index, self.source
        if isinstance(source, Joined):
            place, within = source.locate(index)
            source = source.sources[place]
        return {"codec": self.codec, "source": self.options[place], "item": identity_of(source, within)}

    def _encoded(self, index: int, arrays: Arrays) -> Encoded:
        facts = json.loads(arrays[_FACTS].tobytes())
        facts["attributes"] |= {key: Path(path) for key, path in facts.pop("files").items()}
        mask = torch.from_numpy(arrays[_MASK]) if _MASK in arrays else None
        return Encoded(torch.from_numpy(arrays[_X]), mask, Example(None, self.source.name(index), **facts))


def identity_of(source: Source, index: int) -> Mapping[str, Any]:
    """Say what an item depends on beside its source's options: what `source.identity` says, or its name and place.

    The second is enough for sources that make their items themselves. Raises `DataError`, with the item's name, when it
    is gone.
    """
    told: Callable[[int], Mapping[str, Any]] | None = getattr(source, "identity", None)
    return {"name": source.name(index), "index": index} if told is None else told(index)


def fingerprint(codec: nn.Module, options: Mapping[str, Any]) -> str:
    """Give a hash of a codec: its class, its options and its parameters and buffers, to the bit."""
    state = hashlib.sha256(json.dumps([type(codec).__module__, type(codec).__qualname__, options]).encode())
    for name, tensor in sorted(codec.state_dict().items()):
        state.update(json.dumps([name, str(tensor.dtype), tensor.shape]).encode())
        state.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return state.hexdigest()


def _arrays(encoded: Encoded) -> Arrays:
    example = encoded.example
    files = {key: str(value) for key, value in example.attributes.items() if isinstance(value, Path)}
    attributes = {key: value for key, value in example.attributes.items() if key not in files}
    facts = {"label": example.label, "caption": example.caption, "attributes": attributes, "files": files}
    arrays = {_X: encoded.x.numpy(), _FACTS: _as_bytes(example.name, facts)}
    return arrays if encoded.mask is None else {**arrays, _MASK: encoded.mask.numpy()}


def _as_bytes(name: str, facts: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    try:
        text = json.dumps(facts)
        whole = json.loads(text) == facts
    except (TypeError, ValueError):
        whole = False
    if not whole:
        raise PluginError(f"{name}: a fact is neither text nor number nor a list of such; data.cache cannot keep it")
    return np.frombuffer(text.encode(), np.uint8)

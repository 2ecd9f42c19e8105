"""A text encoder that somebody else has trained, as transformers saves it: frozen, named and never unpickled."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from polydiff.errors import UsageError
from polydiff.torchaudio_loader import load_torchaudio

_CLIP = {"clip": "CLIPTextModel", "clip_text_model": "CLIPTextModel"}
"""Of which transformers' own choice of text encoders is none, or both towers."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text as an encoder sees it.

    Attributes
    ----------
    tokens
        (L, width), the last hidden states.
    starts
        (L,), where each token begins in the text, in characters; 0 for what the tokenizer adds.
    """

    tokens: NDArray[np.float32]
    starts: NDArray[np.int64]


class Encoder:
    """A tokenizer and a frozen network.

    It is no module of a model that uses it: it is not saved with that, nor copied, only named.

    Parameters
    ----------
    name
        A folder, or the name of a model on the Hugging Face hub, which is fetched once.
    revision
        Of the hub's model.

    Raises
    ------
    UsageError
        When transformers is missing, or there is no such encoder with weights as safetensors.
    """

    def __init__(self, name: str, revision: str | None) -> None:
        self._named = name, revision
        transformers = _transformers()
        where = {"revision": revision, "trust_remote_code": False}
        if Path(name).is_dir():
            where["local_files_only"] = True
        try:
            config = transformers.AutoConfig.from_pretrained(name, **where)
            kind = getattr(transformers, _CLIP.get(config.model_type, "AutoModelForTextEncoding"))
            network, loading = kind.from_pretrained(name, **where, use_safetensors=True, output_loading_info=True)
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name, **where)
        except (OSError, ValueError) as error:
            raise UsageError(f"{name} is no text encoder of transformers: {str(error).splitlines()[0]}") from error
        if missing := sorted(loading["missing_keys"]):
            raise UsageError(f"{name} is not all of a text encoder: it lacks {missing[0]}")
        self.network: nn.Module = network.eval().requires_grad_(False)
        self.width: int = network.config.hidden_size
        self.longest: int | None = getattr(network.config, "max_position_embeddings", None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Encoder:
        """Stay the same: nothing in it changes."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process by name."""
        return load_encoder, self._named

    @cached_property
    def digest(self) -> str:
        """Give the SHA-256 of the weights and the vocabulary."""
        state = hashlib.sha256()
        for name, weight in sorted(self.network.state_dict().items()):
            state.update(name.encode() + np.ascontiguousarray(weight.cpu().float().numpy()).tobytes())
        state.update(repr(sorted(self.tokenizer.get_vocab().items())).encode())
        return state.hexdigest()

    def ids(self, text: str) -> list[int]:
        """Cut a text into tokens, with those that the tokenizer adds."""
        ids: list[int] = self.tokenizer(text, verbose=False)["input_ids"]
        return ids

    @torch.no_grad()
    def __call__(self, texts: Sequence[str], length: int, device: torch.device) -> list[Encoded]:
        """Encode texts, each up to so many tokens."""
        made = self.tokenizer(
            list(texts),
            truncation=True,
            max_length=length,
            padding=True,
            return_tensors="pt",
            return_offsets_mapping=self.tokenizer.is_fast,
        )
        known = made["attention_mask"].bool()
        inputs = {name: made[name].to(device) for name in ("input_ids", "attention_mask")}
        hidden = self.network.to(device)(**inputs).last_hidden_state.float().cpu()
        starts = made["offset_mapping"][..., 0] if self.tokenizer.is_fast else torch.zeros_like(made["input_ids"])
        return [
            Encoded(tokens[real].numpy(), start[real].numpy())
            for tokens, start, real in zip(hidden, starts, known, strict=True)
        ]


@cache
def load_encoder(name: str, revision: str | None) -> Encoder:
    """Load an encoder, once in a process; raises as `Encoder` does."""
    return Encoder(name, revision)


def cache_folder() -> Path:
    """Give the folder in which what encoders make of texts is kept: the user's, whatever a model says.

    It is `POLYDIFF_CACHE`, or `polydiff` in the user's folder of caches, and there `texts`.
    """
    own = os.environ.get("POLYDIFF_CACHE")
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return (Path(own) if own else caches / "polydiff") / "texts"


def _transformers() -> Any:
    with suppress(ImportError):
        load_torchaudio()  # transformers imports it where it is installed, and fails where the plain import does
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise UsageError("conditioner 'text-pretrained' needs transformers: pip install 'polydiff[text]'") from error

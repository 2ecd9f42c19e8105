"""CLIP: how well pictures fit a text, as something that can be differentiated; and guidance by it."""

from __future__ import annotations

import importlib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from polydiff.core.condition import Condition
from polydiff.core.denoiser import Denoiser
from polydiff.data.codec import Codec
from polydiff.errors import UsageError
from polydiff.files import read_json
from polydiff.guidance.base import ALWAYS
from polydiff.guidance.energy import Energy
from polydiff.model.latent import Latent
from polydiff.torchaudio_loader import load_torchaudio

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on, by channel, where its folder does not say otherwise."""


@runtime_checkable
class ShowsColours(Protocol):
    """A codec whose tensors can be seen without leaving torch."""

    def colours(self, x: Tensor) -> Tensor:
        """Give (B, 3, H, W) in [0, 1], differentiable by `x`."""
        ...


class Clip(nn.Module):
    """The similarity of pictures and texts by CLIP (Radford et al. 2021, https://arxiv.org/abs/2103.00020).

    Parameters
    ----------
    folder
        As transformers saves a CLIP model and its tokenizer: `config.json`, weights as safetensors, `tokenizer.json` or
        what stands for it, and perhaps `preprocessor_config.json`. Nothing is downloaded, nothing unpickled, and no
        code of the folder is run.

    Raises
    ------
    UsageError
        When transformers is missing, or the folder holds no such model.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, folder: Path) -> None:
        super().__init__()
        transformers = _transformers()
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            model, loading = transformers.AutoModel.from_pretrained(
                folder, **local, use_safetensors=True, output_loading_info=True
            )
            self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder} holds no CLIP model of transformers: {error}") from error
        if model.config.model_type != "clip" or loading["missing_keys"]:
            raise UsageError(f"{folder} holds a {model.config.model_type}, not all of a CLIP model")
        self.model = model.eval().requires_grad_(False)
        self.size: int = model.config.vision_config.image_size
        mean, std = _statistics(folder / "preprocessor_config.json")
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    @torch.no_grad()
    def text(self, prompt: str) -> Tensor:
        """Give the direction of a text, (D,).

        Raises
        ------
        UsageError
            When it is longer than what CLIP reads.
        """
        tokens = self.tokenizer([prompt], return_tensors="pt").to(self.model.device)
        longest, length = self.model.config.text_config.max_position_embeddings, tokens["input_ids"].shape[1]
        if length > longest:
            raise UsageError(f"the prompt has {length} tokens; this CLIP reads {longest}")
        pooled = self.model.text_model(**tokens).pooler_output
        return nn.functional.normalize(self.model.text_projection(pooled), dim=-1)[0]

    def pictures(self, colours: Tensor) -> Tensor:
        """Give the directions of pictures, (B, D), of colours (B, 3, H, W) in [0, 1]."""
        pooled = self.model.vision_model(pixel_values=self._shown(colours)).pooler_output
        return nn.functional.normalize(self.model.visual_projection(pooled), dim=-1)

    def features(self, colours: Tensor) -> tuple[Tensor, ...]:
        """Give what each layer makes of pictures, (B, places, D), its input first; `colours` as for `pictures`."""
        seen = self.model.vision_model(pixel_values=self._shown(colours), output_hidden_states=True)
        features: tuple[Tensor, ...] = seen.hidden_states
        return features

    def _shown(self, colours: Tensor) -> Tensor:
        return (_square(colours.float(), self.size) - self.mean) / self.std

    def logits(self, colours: Tensor, text: Tensor) -> Tensor:
        """Give CLIP's own logit, (B,): the cosine between picture and text over its temperature."""
        logits: Tensor = self.model.logit_scale.exp() * (self.pictures(colours) @ text)
        return logits


class ClipGuidance(Energy):
    """Guidance towards pictures that CLIP finds to fit a text, for models that know no texts.

    The score is CLIP's logit, the cosine between the picture and the text over its temperature, of the predicted clean
    picture.

    Parameters
    ----------
    denoiser
        What is guided.
    codec
        Of pictures.
    model
        The folder of a CLIP model; see `Clip`.
    prompt
        The text.
    scale
        0 is off.
    through, interval
        See `polydiff.guidance.energy.Energy`.

    Raises
    ------
    UsageError
        As `Clip` does; when the codec's tensors are not pictures; when the prompt is too long.
    """

    name = "clip"
    text: Tensor

    def __init__(
        self,
        denoiser: Denoiser,
        codec: Codec,
        *,
        model: Path,
        prompt: str,
        scale: float = 1.0,
        through: bool = True,
        interval: tuple[float, float] = ALWAYS,
    ) -> None:
        if not isinstance(codec.codec if isinstance(codec, Latent) else codec, ShowsColours):
            raise UsageError("guidance 'clip' needs a model whose codec shows pictures, such as that of 'pixels'")
        super().__init__(denoiser, score=self.fit, scale=scale, through=through, interval=interval)
        self.codec = codec
        self.clip = _loaded(model)
        self.register_buffer("text", _text(model, prompt))

    def fit(self, x0: Tensor, t: Tensor, cond: Condition | None) -> Tensor:
        """Give CLIP's logit of predicted clean pictures and the text, (B,)."""
        self.to(x0.device)
        codec, x = (self.codec.codec, self.codec.data(x0)) if isinstance(self.codec, Latent) else (self.codec, x0)
        assert isinstance(codec, ShowsColours)
        return self.clip.logits(codec.colours(x), self.text)


@cache
def _loaded(folder: Path) -> Clip:
    return Clip(folder)


@cache
def _text(folder: Path, prompt: str) -> Tensor:
    return _loaded(folder).text(prompt)


def _transformers() -> Any:
    with suppress(ImportError):
        load_torchaudio()  # transformers imports it where it is installed, and fails where the plain import does
    try:
        return importlib.import_module("transformers")
    except ImportError as error:
        raise UsageError("CLIP needs transformers: pip install 'polydiff-image[clip]'") from error


def _statistics(file: Path) -> tuple[list[float], list[float]]:
    """Give mean and std by channel."""
    try:
        said = read_json(file) if file.is_file() else {}
        return list(said.get("image_mean", MEAN)), list(said.get("image_std", STD))
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"{file}: is no description of what CLIP is shown: {error}") from error


def _square(x: Tensor, size: int) -> Tensor:
    """Bring the shorter side to `size`, antialiased, and cut the middle out of the longer one, as CLIP was shown it."""
    height, width = x.shape[-2:]
    scale = size / min(height, width)
    resized = max(size, round(height * scale)), max(size, round(width * scale))
    x = nn.functional.interpolate(x, resized, mode="bicubic", antialias=True, align_corners=False)
    top, left = (resized[0] - size) // 2, (resized[1] - size) // 2
    return x[..., top : top + size, left : left + size]

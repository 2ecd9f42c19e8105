"""What makes vectors: a contrastive pair, or the conditioner of a diffusion model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import cast

import torch
from torch import Tensor

from polydiff.conditioning.conditioner import Conditioner
from polydiff.conditioning.pooled import pooled, pooled_width
from polydiff.embedding.inputs import contents
from polydiff.errors import UsageError, unknown
from polydiff.generation.devices import resolve
from polydiff.model import folder as model_folder
from polydiff.model.conditions import prompted
from polydiff.model.loading import is_pair, load, load_pair
from polydiff.model.model import Model
from polydiff.model.pair import Pair


class Embedder:
    """Vectors of a trained model, float32 on the CPU.

    A contrastive pair embeds contents and whatever its conditioner reads, in one space and of unit length. A diffusion
    model embeds what its conditioners read, as its network is told it: by the conditioner's vector or, where it gives
    none, the mean of its tokens.

    Parameters
    ----------
    folder
        A model folder or a run folder.
    batch
        Contents at once.

    Raises
    ------
    ModelError, PluginError
        As `polydiff.load` does.
    """

    def __init__(self, folder: str, *, batch: int = 64, accelerator: str = "auto") -> None:
        (device,) = resolve(accelerator, 1)
        self.folder, self.batch = folder, batch
        self.model: Pair | Model = (load_pair(folder) if is_pair(folder) else load(folder)).to(device)
        self.modality = self.model.config.modality

    @property
    def pair(self) -> Pair:
        """The model, where it embeds contents.

        Raises
        ------
        UsageError
            When it is a diffusion model.
        """
        if not isinstance(self.model, Pair):
            raise UsageError(
                f"{self.folder} is a diffusion model, which has vectors of its conditions alone (--prompt, "
                "--condition); files take a contrastive pair"
            )
        return self.model

    @property
    def sha256(self) -> str:
        """The digest of the weights."""
        folder = model_folder.find(self.folder)
        return model_folder.verify(folder)[model_folder.WEIGHTS]

    def everything(
        self, inputs: Sequence[str], prompts: Sequence[str], conditions: Mapping[str, Sequence[str]]
    ) -> tuple[list[str], Tensor]:
        """Embed files, prompts and values of conditions, in this order: their names, and (n, D).

        Raises
        ------
        UsageError, DataError
            As `contents` and `texts` do; when the vectors of several conditions differ in width.
        """
        names: list[str] = []
        parts: list[Tensor] = []
        if inputs:
            names, embedded = self.contents(inputs)
            parts.append(embedded)
        if prompts:
            names = [*names, *prompts]
            parts.append(self.texts(prompts))
        for name, values in conditions.items():
            names = [*names, *(f"{name}={value}" for value in values)]
            parts.append(self.texts(values, name))
        if len(widths := {part.shape[1] for part in parts}) > 1:
            raise UsageError(
                f"the conditions' vectors have {' and '.join(map(str, sorted(widths)))} numbers: ask apart"
            )
        return names, torch.cat(parts)

    def contents(self, inputs: Sequence[str]) -> tuple[list[str], Tensor]:
        """Embed files and folders of files: their names, and (n, D).

        Raises
        ------
        UsageError
            When the model is no pair.
        DataError
            When one cannot be read.
        """
        names: list[str] = []
        parts: list[Tensor] = [torch.zeros(0, self.pair.config.contrastive.width)]
        stream = contents(inputs, self.modality)
        while examples := list(islice(stream, self.batch)):
            names += [example.name for example in examples]
            parts.append(self.pair.embed([example.content for example in examples]))
        return names, torch.cat(parts)

    @torch.no_grad()
    def texts(self, texts: Sequence[str], name: str | None = None) -> Tensor:
        """Embed what a user writes for a condition, (n, D).

        Parameters
        ----------
        name
            Of the condition; that which takes prompts when left out.

        Raises
        ------
        UsageError
            When there is no such condition, or it cannot read a text.
        """
        conditioners = cast("dict[str, Conditioner]", self.model.conditioners)
        if name is not None and name not in conditioners:
            raise UsageError(unknown("condition", name, list(conditioners)))
        name = name or prompted(conditioners)
        if isinstance(self.model, Pair):
            return self.model.embed_texts(texts, batch=self.batch)
        conditioner = conditioners[name]
        try:
            pooled_width(conditioner.dims)
        except UsageError as error:
            raise UsageError(f"condition '{name}' has no vectors: {error}") from error
        values = [conditioner.parse(text) for text in texts]
        return pooled(conditioner(values)).float().cpu()

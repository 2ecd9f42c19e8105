"""What denoises the samples of a model: its network, in windows where they are long, under guidance."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from polydiff.core.denoiser import Denoiser
from polydiff.core.windowed import Windowed
from polydiff.errors import UsageError
from polydiff.model.companions import Companion, Companions
from polydiff.model.latent import Latent
from polydiff.plugins.specs import GuidanceSpec
from polydiff.recipe.build import build
from polydiff.recipe.schema import SampleConfig

if TYPE_CHECKING:
    from polydiff.model.model import Model


def unguided(model: Model, shape: tuple[int, ...]) -> Denoiser:
    """Give what denoises samples of a shape: the network, or windows of it.

    Raises
    ------
    UsageError
        When the network takes no such shape.
    """
    window = model.codec.shape[-1]
    windowed = model.codec.windowed and shape[-1] > window
    try:
        model.backbone.check_shape((*shape[:-1], window) if windowed else shape)
    except UsageError as error:
        if isinstance(model.codec, Latent):
            raise UsageError(f"the latents: {error}") from error
        raise
    return Windowed(model.denoiser, window) if windowed else model.denoiser


def guided(
    model: Model,
    companions: Companions,
    chosen: SampleConfig,
    shape: tuple[int, ...],
    network: Denoiser | None = None,
) -> Denoiser:
    """Give what denoises samples of a shape with the guidance of the settings, which students have built in.

    Parameters
    ----------
    companions
        The models that guidances name.
    network
        What is guided, by default what denoises samples of that shape without.

    Raises
    ------
    UsageError
        When the network takes no such shape, or a guidance not such options.
    ModelError, PluginError
        When a model that guidance names cannot be loaded.
    """
    denoiser = network or unguided(model, shape)
    if model.config.distilled is not None:
        return denoiser

    def companion(path: Path) -> Denoiser:
        return Companion(unguided(companions.find(path, model), shape), str(path))

    for component in chosen.guidance:
        denoiser = build(
            GuidanceSpec, component, load=companion, denoiser=denoiser, codec=model.codec, encoded=model.config
        )
    return denoiser

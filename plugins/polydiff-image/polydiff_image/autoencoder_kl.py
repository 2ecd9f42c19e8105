"""Autoencoders trained elsewhere: AutoencoderKL as diffusers writes it."""

from __future__ import annotations

import importlib
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from polydiff.data.codec import Stored
from polydiff.errors import ModelError, UsageError
from polydiff.files import sha256 as digest
from polydiff.model.latent import Latent
from polydiff.nn.autoencoder import Autoencoder, Posterior
from polydiff.nn.grid import check_grid
from polydiff.torchaudio_loader import load_torchaudio
from polydiff_image.pixels import Pixels

WEIGHTS = "diffusion_pytorch_model.safetensors"


class AutoencoderKL(Latent):
    """The latents of a variational autoencoder of pictures that diffusers has saved, as those of Stable Diffusion are.

    Standardised on the data that are trained on, whatever scaling the folder names. The model that is trained on them
    contains the autoencoder; to use it takes diffusers, too: `pip install 'polydiff-image[diffusers]'`.

    Parameters
    ----------
    size, fit, background
        See `pixels`.
    path
        The folder: `config.json` and `diffusion_pytorch_model.safetensors`. Nothing is downloaded, nothing unpickled.
    config
        That file's: filled in from the folder.
    sha256
        Of the weights there: filled in from the folder.

    Raises
    ------
    UsageError
        When diffusers is missing, or an option is out of its range.
    """

    folder: ClassVar[str] = "path"

    def __init__(
        self,
        config: dict[str, Any],
        size: int | tuple[int, int] = 64,
        fit: Literal["crop", "pad", "stretch"] = "crop",
        background: str = "white",
        sha256: str = "",
        path: Path | None = None,
    ) -> None:
        pixels = Pixels(size, config["in_channels"], fit, background)
        super().__init__(pixels, _Diffusers(pixels.shape, config), sha256, path)

    @classmethod
    def stored(cls, folder: Path, modality: str) -> Stored:
        """Read a folder of diffusers.

        Raises
        ------
        ModelError
            When it holds no AutoencoderKL, or not all of one.
        """
        kind = _autoencoder_kl()
        if not (folder / WEIGHTS).is_file():
            raise ModelError(f"{folder}: there is no {WEIGHTS}; nothing else (no pickle) is ever loaded")
        try:
            config = kind.load_config(folder, local_files_only=True)
            if config.get("_class_name") != "AutoencoderKL":
                raise ModelError(f"{folder} holds a {config.get('_class_name')}, not an AutoencoderKL")
            network, loading = kind.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, low_cpu_mem_usage=False, output_loading_info=True
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelError(f"{folder} holds no AutoencoderKL of diffusers: {str(error).splitlines()[0]}") from error
        if loading["missing_keys"]:
            raise ModelError(f"{folder / WEIGHTS} has no tensor '{loading['missing_keys'][0]}'")
        own = {key: value for key, value in network.config.items() if not key.startswith("_")}
        plain = {key: list(value) if isinstance(value, tuple) else value for key, value in own.items()}
        tensors = {f"autoencoder.network.{name}": tensor for name, tensor in network.state_dict().items()}
        return Stored({"config": plain, "sha256": digest(folder / WEIGHTS)}, tensors)


class _Diffusers(Autoencoder):
    """diffusers' AutoencoderKL, untrained."""

    def __init__(self, data_shape: tuple[int, ...], config: dict[str, Any]) -> None:
        super().__init__(data_shape)
        kind = _autoencoder_kl()
        try:
            self.network = kind.from_config(config)
        except (TypeError, ValueError) as error:
            raise UsageError(f"config: {error}") from error
        self.latent: int = self.network.config.latent_channels
        self.factor = 2 ** (len(self.network.config.block_out_channels) - 1)

    def latent_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        check_grid(shape, channels=self.data_shape[0], dimension=2, factor=self.factor)
        return self.latent, *(size // self.factor for size in shape[1:])

    def encode(self, x: Tensor) -> Posterior:
        found = self.network.encode(x).latent_dist
        return Posterior(found.mean, found.logvar)

    def decode(self, z: Tensor) -> Tensor:
        x: Tensor = self.network.decode(z).sample
        return x


def _autoencoder_kl() -> Any:
    with suppress(ImportError):
        load_torchaudio()  # transformers, which diffusers imports, imports it and fails where the plain import does
    try:
        return importlib.import_module("diffusers").AutoencoderKL
    except ImportError as error:
        raise UsageError("an AutoencoderKL needs diffusers: pip install 'polydiff-image[diffusers]'") from error

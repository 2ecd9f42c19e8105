"""The card of a codec that was trained."""

from __future__ import annotations

from collections.abc import Mapping

from polydiff.model.card import figures_table, trained_on, without_folders
from polydiff.recipe.dump import dump
from polydiff.recipe.schema import CodecConfig, CodecRecipe


def codec_card(config: CodecConfig, figures: Mapping[str, float]) -> str:
    """Write the README.md of a codec's folder.

    Parameters
    ----------
    config
        The codec's; a whole `CodecRecipe` where it comes from training, which is then told.
    figures
        What validation measured of the round trip of held-out data, by name; may be empty.
    """
    if isinstance(config, CodecRecipe):
        config = config.model_copy(update={"data": without_folders(config.data)})
    parts = [
        f"# {config.modality.capitalize()} codec",
        f"Made with polydiff; to use it takes polydiff and the plugin of the modality `{config.modality}`. Its weights "
        "are in `weights.safetensors`; nothing here is a pickle.",
        trained_on(config) if isinstance(config, CodecRecipe) else "",
        "## Use\n\nA diffusion recipe names this folder, and the model that comes of it contains the codec:\n\n"
        "```yaml\ncodec: {name: latent, of: path/to/this/folder}\n```",
        figures_table(figures),
        f"## Recipe\n\n```yaml\n{dump(config).rstrip()}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"

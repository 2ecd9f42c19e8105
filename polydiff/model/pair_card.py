"""The card of a contrastive pair."""

from __future__ import annotations

from collections.abc import Mapping

from polydiff.model.card import figures_table, trained_on, without_folders
from polydiff.recipe.dump import dump
from polydiff.recipe.schema import PairConfig, PairRecipe


def pair_card(config: PairConfig, figures: Mapping[str, float]) -> str:
    """Write the README.md of a pair's folder.

    Parameters
    ----------
    config
        The pair's; a whole `PairRecipe` where it comes from training, which is then told.
    figures
        What validation measured on held-out data, by name; may be empty.
    """
    if isinstance(config, PairRecipe):
        config = config.model_copy(update={"data": without_folders(config.data)})
    (fact,) = config.conditions
    parts = [
        f"# {config.modality.capitalize()} and {fact}: a contrastive pair",
        f"Made with polydiff; to use it takes polydiff and the plugin of the modality `{config.modality}`. Its weights "
        "are in `weights.safetensors`; nothing here is a pickle.",
        trained_on(config) if isinstance(config, PairRecipe) else "",
        "## Use\n\nFrom the command line, in this folder:\n\n```\npolydiff embed . FILES --out vectors.npz\n"
        "polydiff embed . FILES --like FILE -k 5\npolydiff align . FOLDER\n```",
        figures_table(figures),
        f"## Recipe\n\n```yaml\n{dump(config).rstrip()}\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"

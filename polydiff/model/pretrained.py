"""Codecs that a recipe takes from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from polydiff.data.codec import Codec
from polydiff.errors import PolydiffError
from polydiff.plugins.specs import CodecSpec
from polydiff.recipe.build import find_target
from polydiff.recipe.component import Component


def codec_class(component: Component, modality: str) -> type[Codec]:
    """Load the class that a component names; raises as `polydiff.recipe.build.build` does."""
    found: type[Codec] = find_target(CodecSpec, component, modality)  # type: ignore[assignment]
    return found


def complete_codec(component: Component, modality: str) -> tuple[Component, Mapping[str, Tensor]]:
    """Fill in what the folder that a codec's options name says of it.

    Returns
    -------
    component
        With these options; as it was where it takes no folder.
    tensors
        Its state, as `set_pretrained` takes it.

    Raises
    ------
    RecipeError
        When there is no such codec there, or another one than when the recipe was resolved; a UsageError for a
        component that was made in Python.
    """
    target = codec_class(component, modality)
    name = target.folder
    if not name:
        return component, {}
    given = component.options
    if not isinstance(given.get(name), str):
        raise component.error("missing: the folder of a trained codec", name)
    try:
        stored = target.stored(Path(given[name]).expanduser(), modality)
    except PolydiffError as error:
        raise component.error(str(error), name) from error
    known = given.get("sha256") or None
    if known not in (None, stored.options["sha256"]):
        raise component.error("the codec there is another than the one that this run began with", name)
    for key in stored.options:
        if known is None and key in given:
            raise component.error(f"comes from the folder that '{name}' names; leave it out", key)
    return component.with_options({**given, **stored.options}), stored.tensors


def without_folder(component: Component, modality: str) -> Component:
    """Give the codec as a model folder, which has all that it takes, tells of it."""
    target = codec_class(component, modality)
    return component.with_options({key: value for key, value in component.options.items() if key != target.folder})


def set_pretrained(codec: Codec, tensors: Mapping[str, Tensor]) -> None:
    """Give a codec the state that was stored; what is measured on the data is left as it is."""
    if not tensors:
        return
    missing, unexpected = codec.load_state_dict(tensors, strict=False)
    assert not unexpected and {*missing} <= {"mean", "std"}, (missing, unexpected)

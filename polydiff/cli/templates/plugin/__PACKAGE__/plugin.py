"""What this package registers with polydiff."""

from __future__ import annotations

from collections.abc import Iterable

import polydiff
from polydiff.plugins.specs import BackboneSpec, CodecSpec, FileKindSpec, ModalitySpec, PresetSpec, SourceSpec

POLYDIFF_API = 1


@polydiff.hookimpl
def polydiff_modalities() -> Iterable[ModalitySpec]:
    """Give the modality `__NAME__`; the targets are imported when they are first used."""
    yield ModalitySpec(
        name="__NAME__",
        summary="curves: evenly spaced samples of one number",
        codecs=(CodecSpec("points", "__PACKAGE__.codec:Points", "a fixed number of points"),),
        backbones=(BackboneSpec("__NAME__-unet", "__PACKAGE__.backbone:CurveUNet", "U-Net along the curve"),),
        sources=(
            SourceSpec("waves", "__PACKAGE__.sources:Waves", "synthetic sines, squares and triangles"),
            SourceSpec("folder", "__PACKAGE__.sources:Folder", "a tree of text files, a number a line"),
            SourceSpec("webdataset", "__PACKAGE__.sources:WebDataset", "tar shards of such text files"),
            SourceSpec("parquet", "__PACKAGE__.sources:Parquet", "tables of such text files"),
            SourceSpec("hf", "__PACKAGE__.sources:HuggingFace", "a data set of the Hugging Face hub"),
        ),
        files=(FileKindSpec("txt", "__PACKAGE__.files:txt", "a number a line", suffix=".txt"),),
        preview="__PACKAGE__.files:preview",
        trajectory="__PACKAGE__.files:trajectory",
        presets=(PresetSpec("__NAME__", "__PACKAGE__:presets/__NAME__.yaml", "synthetic waves by class"),),
    )

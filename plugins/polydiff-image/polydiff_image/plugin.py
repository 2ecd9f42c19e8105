"""What this package registers with polydiff."""

from __future__ import annotations

from collections.abc import Iterable

import polydiff
from polydiff.plugins.specs import (
    AugmentationSpec,
    AutoencoderSpec,
    BackboneSpec,
    CodecSpec,
    FileKindSpec,
    GuidanceSpec,
    ModalitySpec,
    PresetSpec,
    ReconstructionSpec,
    SourceSpec,
)

POLYDIFF_API = 1


@polydiff.hookimpl
def polydiff_modalities() -> Iterable[ModalitySpec]:
    """Give the modality `image`."""
    yield ModalitySpec(
        name="image",
        summary="pictures: PNG, JPEG, WebP, TIFF and GIF",
        codecs=(
            CodecSpec("pixels", "polydiff_image.pixels:Pixels", "pixels as they are, in [-1, 1]"),
            CodecSpec("autoencoder-kl", "polydiff_image.autoencoder_kl:AutoencoderKL", "latents by one of diffusers"),
        ),
        backbones=(BackboneSpec("unet2d", "polydiff_image.unet2d:UNet2D", "U-Net with attention"),),
        autoencoders=(
            AutoencoderSpec("autoencoder2d", "polydiff_image.autoencoder2d:Autoencoder2D", "convolutions, 4 or 8 to 1"),
        ),
        sources=(
            SourceSpec("digits", "polydiff_image.digits:Digits", "1,797 real handwritten digits, 8x8"),
            SourceSpec("folder", "polydiff_image.folder:Folder", "a tree of picture files"),
            SourceSpec("webdataset", "polydiff_image.folder:WebDataset", "tar shards of picture files"),
            SourceSpec("parquet", "polydiff_image.folder:Parquet", "tables of picture files"),
            SourceSpec("hf", "polydiff_image.folder:HuggingFace", "a data set of the Hugging Face hub"),
            SourceSpec("glyphs", "polydiff_image.glyphs:Glyphs", "the characters of fonts, with their names"),
            SourceSpec("scenes", "polydiff_image.scenes.source:Scenes", "shapes in relations, with sentences"),
        ),
        files=(
            FileKindSpec("png", "polydiff_image.writers:png", "lossless", suffix=".png"),
            FileKindSpec("jpeg", "polydiff_image.writers:jpeg", "small, lossy", suffix=".jpg"),
            FileKindSpec("webp", "polydiff_image.writers:webp", "smaller, lossless", suffix=".webp"),
        ),
        preview="polydiff_image.sheet:contact_sheet",
        trajectory="polydiff_image.sheet:trajectory",
        describe="polydiff_image.describing:describe",
        fidelity="polydiff_image.fidelity:fidelity",
        augmentations=(
            AugmentationSpec("flip", "polydiff_image.augmentations:Flip", "left and right, half of the time"),
            AugmentationSpec("crop", "polydiff_image.augmentations:Crop", "a random part"),
            AugmentationSpec("jitter", "polydiff_image.augmentations:Jitter", "brightness, contrast, colour"),
        ),
        presets=(
            PresetSpec("digits", "polydiff_image:presets/digits.yaml", "8x8 digits by label, on a CPU"),
            PresetSpec("glyphs", "polydiff_image:presets/glyphs.yaml", "letters and digits by name and font"),
            PresetSpec("folder-64", "polydiff_image:presets/folder-64.yaml", "your own pictures at 64x64"),
            PresetSpec("glyphs-codec", "polydiff_image:presets/glyphs-codec.yaml", "latents of the glyphs, on a CPU"),
            PresetSpec("glyphs-latent", "polydiff_image:presets/glyphs-latent.yaml", "the glyphs by their latents"),
            PresetSpec("scenes", "polydiff_image:presets/scenes.yaml", "coloured shapes by a sentence, on a CPU"),
            PresetSpec("scenes-pair", "polydiff_image:presets/scenes-pair.yaml", "scenes and sentences as vectors"),
        ),
    )


@polydiff.hookimpl
def polydiff_objectives() -> Iterable[ReconstructionSpec]:
    """Give the loss that sees as CLIP does."""
    yield ReconstructionSpec(
        "perceptual", "polydiff_image.perceptual:PerceptualLoss", "as a network of vision sees pictures"
    )


@polydiff.hookimpl
def polydiff_guidances() -> Iterable[GuidanceSpec]:
    """Give guidance by CLIP."""
    yield GuidanceSpec(
        "clip",
        "polydiff_image.clip:ClipGuidance",
        "towards pictures that fit a text, by CLIP",
        neutral={"scale": 0.0},
        by_condition=False,
        needs="files",
    )

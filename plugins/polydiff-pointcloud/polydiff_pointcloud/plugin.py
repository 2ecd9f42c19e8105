"""What this package registers with polydiff."""

from __future__ import annotations

from collections.abc import Iterable

import polydiff
from polydiff.plugins.specs import (
    AugmentationSpec,
    AutoencoderSpec,
    BackboneSpec,
    CheckSpec,
    CodecSpec,
    CommandSpec,
    ConditionerSpec,
    FileKindSpec,
    MetricSpec,
    ModalitySpec,
    PresetSpec,
    ReconstructionSpec,
    SourceSpec,
)

POLYDIFF_API = 1

_NO_NORMALS, _PLAIN = "polydiff_pointcloud.writers:beyond_colors", "polydiff_pointcloud.writers:beyond_coordinates"
_MESHES = "polydiff_pointcloud.mesh_writers"
_FACTS = f"{_MESHES}:facts"


@polydiff.hookimpl
def polydiff_modalities() -> Iterable[ModalitySpec]:
    """Give the modality `pointcloud`."""
    yield ModalitySpec(
        name="pointcloud",
        summary="3D shapes as points: PLY, GLB, OBJ, STL, OFF, 3MF, XYZ, NPY and NPZ",
        codecs=(CodecSpec("points", "polydiff_pointcloud.points:Points", "coordinates as they are"),),
        backbones=(
            BackboneSpec("latent-set", "polydiff_pointcloud.latent_set:LatentSet", "points attend to learned tokens"),
            BackboneSpec("pv-unet", "polydiff_pointcloud.pv_unet:PVUNet", "U-Net of points and voxels"),
            BackboneSpec("token-transformer", "polydiff_pointcloud.token_transformer:TokenTransformer", "for latents"),
        ),
        autoencoders=(
            AutoencoderSpec(
                "token-autoencoder", "polydiff_pointcloud.token_autoencoder:TokenAutoencoder", "clouds as a few tokens"
            ),
        ),
        sources=(
            SourceSpec("folder", "polydiff_pointcloud.folder:Folder", "a tree of meshes or point files"),
            SourceSpec("webdataset", "polydiff_pointcloud.folder:WebDataset", "tar shards of meshes or point files"),
            SourceSpec("parquet", "polydiff_pointcloud.folder:Parquet", "tables of meshes or point files"),
            SourceSpec("hf", "polydiff_pointcloud.folder:HuggingFace", "a data set of the Hugging Face hub"),
            SourceSpec("furniture", "polydiff_pointcloud.furniture:Furniture", "tables, chairs, shelves, ..."),
            SourceSpec("pc15k", "polydiff_pointcloud.pc15k:PC15k", "PointFlow's sampled ShapeNet"),
        ),
        files=(
            FileKindSpec("ply", "polydiff_pointcloud.writers:ply", "points, binary", suffix=".ply"),
            FileKindSpec("glb", "polydiff_pointcloud.writers:glb", "points, for viewers", suffix=".glb"),
            FileKindSpec("obj", "polydiff_pointcloud.writers:obj", "points, text", suffix=".obj", loss=_NO_NORMALS),
            FileKindSpec("xyz", "polydiff_pointcloud.writers:xyz", "points, plain text", suffix=".xyz", loss=_PLAIN),
            FileKindSpec("npy", "polydiff_pointcloud.writers:npy", "points, an array", suffix=".npy", loss=_PLAIN),
            FileKindSpec("mesh-ply", f"{_MESHES}:mesh_ply", "watertight mesh, binary", suffix=".ply", facts=_FACTS),
            FileKindSpec(
                "mesh-glb", f"{_MESHES}:mesh_glb", "watertight mesh, for viewers", suffix=".glb", facts=_FACTS
            ),
            FileKindSpec("mesh-obj", f"{_MESHES}:mesh_obj", "watertight mesh, text", suffix=".obj", facts=_FACTS),
            FileKindSpec(
                "mesh-stl",
                f"{_MESHES}:mesh_stl",
                "watertight mesh, for printers",
                suffix=".stl",
                loss=f"{_MESHES}:beyond_stl",
                facts=_FACTS,
            ),
        ),
        preview="polydiff_pointcloud.sheet:contact_sheet",
        trajectory="polydiff_pointcloud.sheet:trajectory",
        describe="polydiff_pointcloud.describing:describe",
        fidelity="polydiff_pointcloud.fidelity:fidelity",
        augmentations=(
            AugmentationSpec("rotate", "polydiff_pointcloud.augmentations:Rotate", "about the upright axis, or any"),
            AugmentationSpec("scale", "polydiff_pointcloud.augmentations:Scale", "larger or smaller"),
            AugmentationSpec("jitter", "polydiff_pointcloud.augmentations:Jitter", "each point a little aside"),
            AugmentationSpec("dropout", "polydiff_pointcloud.augmentations:Dropout", "some points left out"),
            AugmentationSpec("subsample", "polydiff_pointcloud.subset:Subsample", "other points in every epoch"),
        ),
        presets=(
            PresetSpec("furniture", "polydiff_pointcloud:presets/furniture.yaml", "512 points by label, on a CPU"),
            PresetSpec("furniture-2048", "polydiff_pointcloud:presets/furniture-2048.yaml", "2,048 points, on a GPU"),
            PresetSpec(
                "furniture-codec", "polydiff_pointcloud:presets/furniture-codec.yaml", "tokens of furniture, on a CPU"
            ),
            PresetSpec(
                "furniture-latent", "polydiff_pointcloud:presets/furniture-latent.yaml", "furniture by its tokens"
            ),
            PresetSpec("folder-2048", "polydiff_pointcloud:presets/folder-2048.yaml", "your own shapes, 2,048 points"),
            PresetSpec("shapenet-pc15k", "polydiff_pointcloud:presets/shapenet-pc15k.yaml", "PointFlow's ShapeNet"),
        ),
    )


@polydiff.hookimpl
def polydiff_metrics() -> Iterable[MetricSpec]:
    """Give the metrics of point clouds."""
    yield MetricSpec(
        "point-1-nna", "polydiff_pointcloud.metrics:one_nna", "1-nearest-neighbour accuracy", "pointcloud", ideal=0.5
    )
    yield MetricSpec(
        "point-coverage", "polydiff_pointcloud.metrics:coverage", "share of real shapes met", "pointcloud", ideal=1.0
    )
    yield MetricSpec("point-mmd", "polydiff_pointcloud.metrics:mmd", "minimum matching distance", "pointcloud")
    yield MetricSpec("point-jsd", "polydiff_pointcloud.metrics:jsd", "of the occupancy of space", "pointcloud")


@polydiff.hookimpl
def polydiff_checks() -> Iterable[CheckSpec]:
    """Give the checks of what shapes need."""
    yield CheckSpec("pointcloud", "polydiff_pointcloud.checks:pointcloud", "trimesh, and what meshes need")


@polydiff.hookimpl
def polydiff_conditioners() -> Iterable[ConditionerSpec]:
    """Give the conditioner of points."""
    yield ConditionerSpec("cloud", "polydiff_pointcloud.cloud_conditioner:Cloud", "a few points, as tokens")


@polydiff.hookimpl
def polydiff_commands() -> Iterable[CommandSpec]:
    """Give the commands for clouds of which part is given."""
    yield CommandSpec("complete", "polydiff_pointcloud.commands:complete", "Generate the rest of part of a shape.")
    yield CommandSpec("upsample", "polydiff_pointcloud.commands:upsample", "Generate more points of a shape of few.")


@polydiff.hookimpl
def polydiff_objectives() -> Iterable[ReconstructionSpec]:
    """Give the loss of clouds."""
    yield ReconstructionSpec("chamfer", "polydiff_pointcloud.reconstruction:ChamferLoss", "to the nearest points")

"""The conformance kit on the modality `pointcloud`, once for each network."""

from polydiff.testing import ModalityConformance

SMALL = (
    "data.source.count=200",
    "data.source.points=256",
    "data.holdout=0.5",
    "data.augment=[{name: subsample, points: 128}]",
    "sample.steps=4",
    "train.batch=16",
    "train.optimizer.warmup=5",
    "train.max_minutes=null",
    "train.validation.samples=96",
    "train.validation.every=1000",
    "train.preview.every=1000",
    "train.preview.samples=2",
)


class TestLatentSet(ModalityConformance):
    """Coordinates alone, with a label."""

    recipe = "furniture"
    overrides = (
        *SMALL,
        "codec={name: points, points: 128}",
        "backbone={name: latent-set, width: 32, latents: 16, latent_width: 64, layers: 1}",
        "train.steps=40",
    )
    round_trip_error = 1e-6


class TestPVUNet(ModalityConformance):
    """Clouds that have fewer points than the codec's and are padded."""

    recipe = "furniture"
    overrides = (
        *SMALL,
        "codec={name: points, points: 96, unequal: true}",
        "data.source.points=80",
        "data.augment=[]",
        "backbone={name: pv-unet, channels: 16, multipliers: [1, 2], voxels: [6, 3]}",
        "train.steps=30",
    )
    round_trip_error = 1e-6

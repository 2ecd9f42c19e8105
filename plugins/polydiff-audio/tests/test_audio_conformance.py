"""The conformance kit on the modality `audio`, once for each codec."""

from polydiff.testing import ModalityConformance

SMALL = (
    "data.source.count=400",
    "data.holdout=0.5",
    "sample.steps=4",
    "train.batch=16",
    "train.optimizer.warmup=5",
    "train.max_minutes=null",
    "train.validation.samples=256",
    "train.validation.every=1000",
    "train.preview.every=1000",
    "train.preview.samples=2",
    "backbone={name: unet1d, channels: 32, multipliers: [1, 1], factors: 4, blocks: 1, attention: [-1]}",
    "sample.guidance=[{name: cfg, scale: 1.5}]",
)


class TestSpectrogram(ModalityConformance):
    """Notes, with a class and a number as conditions."""

    recipe = "synth-notes"
    overrides = (
        *SMALL,
        "data.source.seconds=0.25",
        "codec={name: spectrogram, rate: 8000, duration: 0.25, n_fft: 256, hop: 64, floor: 0.1, multiple: 4}",
        "train.steps=30",
    )
    round_trip_error = 0.2


class TestMel(TestSpectrogram):
    """The same on the mel scale, which loses more than a third of short notes: how partials lie between its bands."""

    overrides = (
        *SMALL,
        "data.source.seconds=0.25",
        "codec={name: mel, rate: 8000, duration: 0.25, n_fft: 256, hop: 64, n_mels: 40, floor: 0.1, multiple: 4}",
        "train.steps=30",
    )
    round_trip_error = 0.42


class TestWaveform(ModalityConformance):
    """The same notes as they are."""

    recipe = "synth-notes"
    overrides = (
        *SMALL,
        "data.source.seconds=0.125",
        "codec={name: waveform, rate: 8000, duration: 0.125, multiple: 4}",
        "train.steps=40",
        "prediction=v",
    )
    round_trip_error = 0.0

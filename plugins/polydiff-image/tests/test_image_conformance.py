"""The conformance kit on the modality `image`."""

from polydiff.testing import ModalityConformance


class TestDigits(ModalityConformance):
    """On small pictures, with labels."""

    recipe = "digits"
    overrides = (
        "backbone.channels=16",
        "backbone.multipliers=[1, 2]",
        "train.steps=40",
        "train.batch=32",
        "train.optimizer.warmup=10",
        "train.validation.samples=64",
        "train.preview.samples=4",
    )

"""polydiff's conformance kit, run on the modality `__NAME__`."""

from polydiff.testing import ModalityConformance


class TestConformance(ModalityConformance):
    """Trains a small network for a few steps and checks everything that polydiff relies on."""

    recipe = "__NAME__"
    overrides = ("backbone.channels=16", "data.source={name: waves, count: 300}", "train.steps=60")

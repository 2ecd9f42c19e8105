"""What plugins test themselves with; needs pytest."""

from polydiff.testing.conformance import ModalityConformance
from polydiff.testing.small_run import train_codec

__all__ = ["ModalityConformance", "train_codec"]

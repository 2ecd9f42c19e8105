"""What plugins test themselves with; needs pytest."""

from polydiff.testing.conformance import ModalityConformance

__all__ = ["ModalityConformance"]

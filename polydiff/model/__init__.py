"""A trained model: what it is made of, its folder and what it generates."""

from polydiff.model.loading import load
from polydiff.model.model import Model

__all__ = ["Model", "load"]

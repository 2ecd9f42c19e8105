"""A trained model: what it is made of, its folder and what it generates."""

from polydiff.model.model import Model, load

__all__ = ["Model", "load"]

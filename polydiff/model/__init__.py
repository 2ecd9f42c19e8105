"""A trained model: what it is made of, its folder and what it generates."""

from polydiff.model.loading import load, load_pair
from polydiff.model.model import Model
from polydiff.model.pair import Pair

__all__ = ["Model", "Pair", "load", "load_pair"]

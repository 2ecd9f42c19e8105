"""Furniture by name: each kind differs from piece to piece in form, proportions and parts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from polydiff_pointcloud.shapes.chair import chair
from polydiff_pointcloud.shapes.lamp import lamp
from polydiff_pointcloud.shapes.piece import Maker
from polydiff_pointcloud.shapes.shelf import shelf
from polydiff_pointcloud.shapes.stool import stool
from polydiff_pointcloud.shapes.table import table

Kind = Literal["chair", "lamp", "shelf", "stool", "table"]

KINDS: tuple[Kind, ...] = get_args(Kind)

MAKERS: Mapping[Kind, Maker] = MappingProxyType(
    {"chair": chair, "lamp": lamp, "shelf": shelf, "stool": stool, "table": table}
)

"""Instruments by name: each plays a note of a well-defined pitch, otherwise a little different each time."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from polydiff_audio.instruments.bell import bell
from polydiff_audio.instruments.drum import drum
from polydiff_audio.instruments.instrument import Instrument
from polydiff_audio.instruments.organ import organ
from polydiff_audio.instruments.pluck import pluck

Timbre = Literal["bell", "drum", "organ", "pluck"]

TIMBRES: tuple[Timbre, ...] = get_args(Timbre)

INSTRUMENTS: Mapping[Timbre, Instrument] = MappingProxyType(
    {"bell": bell, "drum": drum, "organ": organ, "pluck": pluck}
)

"""What a check of `polydiff doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report.

    Attributes
    ----------
    level
        "warning" for what works worse than it could, "error" for what does not work.
    message
        What is so and, where it is not "ok", what to do about it.
    """

    level: Level
    message: str

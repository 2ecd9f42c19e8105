"""Metadata as comments of text: a JSON object with one entry a line, in ASCII."""

from __future__ import annotations

import json
from collections.abc import Mapping


def lines(metadata: Mapping[str, str]) -> list[str]:
    """Give a line for each entry, without the format's own mark of a comment."""
    return [json.dumps({key: value}) for key, value in metadata.items()]

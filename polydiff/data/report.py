"""What was found in a source as plain data, for `data-report.json`."""

from __future__ import annotations

from typing import Any

from polydiff.data.source import Source
from polydiff.data.survey import Survey

_SUMMARY = "least", "median", "most"


def record(source: Source, found: Survey) -> dict[str, Any]:
    """Give everything that was found, items by name."""
    return {
        "items": found.items,
        "readable": len(found.readable),
        "unreadable": found.unreadable,
        "duplicates": [
            {"names": list(map(source.name, group)), "labels": list(dict.fromkeys(map(source.label, group)))}
            for group in found.duplicates
        ],
        "odd_sized": [
            {"name": source.name(odd.index), "size": odd.size, "value": odd.value, "median": odd.median}
            for odd in found.odd
        ],
        "flawed": [{"name": source.name(index), "reason": reason} for index, reason in found.flawed],
        "unlabelled": list(map(source.name, found.unlabelled)),
        "classes": found.classes,
        "sizes": {name: dict(zip(_SUMMARY, numbers, strict=True)) for name, numbers in found.sizes.items()},
        "licences": [{"licence": licence, "items": count} for licence, count in found.licences.items()],
    }

"""What is known of each plugin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from polydiff.plugins.specs import AnySpec, AugmentationSpec, CodecSpec, FileKindSpec, SourceSpec

Status = Literal["ok", "broken", "blocked", "missing"]

SCOPED: Final = frozenset({CodecSpec, SourceSpec, AugmentationSpec, FileKindSpec})
"""The kinds whose names are unique within a modality; all others' are unique among all plugins."""

Key = tuple[type[AnySpec], str, str]
"""The kind, the modality where the kind is one of `SCOPED` (else empty), and the name."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """Who a plugin is.

    Attributes
    ----------
    name
        That of its entry point; `POLYDIFF_PLUGINS_OFF` says it.
    distribution, version
        The installed package that brings it; empty for one registered in the process.
    """

    name: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        origin = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"plugin '{self.name}'{origin}"


@dataclass(frozen=True, slots=True)
class Registered:
    """A spec, and who registered it.

    Attributes
    ----------
    modality
        The modality that the spec belongs to; empty for one that serves all.
    """

    spec: AnySpec
    plugin: Plugin
    modality: str = ""

    @property
    def key(self) -> Key:
        """What has to be unique."""
        kind = type(self.spec)
        return kind, self.modality if kind in SCOPED else "", self.spec.name


@dataclass(frozen=True, slots=True)
class PluginRecord:
    """A plugin's state.

    Attributes
    ----------
    status
        "ok"; "broken", with the reason in `error`; "blocked" by `POLYDIFF_PLUGINS_OFF`; "missing" when that
        variable names a plugin that is not installed.
    registered
        What the plugin gives; of a broken one, what could be read of it, which nobody can use.
    """

    plugin: Plugin
    status: Status
    error: str = ""
    registered: tuple[Registered, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """A name that several plugins register as the same kind of thing, so that nobody can use it."""

    key: Key
    plugins: tuple[Plugin, ...]

    def __str__(self) -> str:
        *others, last = map(str, self.plugins)
        return f"{title(self.key)} is registered by {', '.join(others)} and by {last}"


def title(key: Key) -> str:
    """Name a registered thing in a sentence: "sampler 'ddim'", "image codec 'pixels'"."""
    kind, modality, name = key
    return f"{modality} {kind.kind} '{name}'".lstrip()


def in_one_line(error: BaseException) -> str:
    """Say what was raised, without line breaks."""
    return " ".join(f"{type(error).__name__}: {error}".split())

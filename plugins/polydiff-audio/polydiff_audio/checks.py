"""What sounds need, for `polydiff doctor`."""

from __future__ import annotations

from collections.abc import Iterator

from polydiff.errors import DataError
from polydiff.plugins.checks import Finding
from polydiff_audio.espeak_ng import find_program


def audio() -> Iterator[Finding]:
    """Look for the libraries and the program."""
    yield _torchaudio()
    yield from _soundfile()
    yield _espeak()


def _torchaudio() -> Finding:
    from polydiff.torchaudio_loader import load_torchaudio  # noqa: PLC0415 - imports torch

    torchaudio = load_torchaudio()
    native = torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE
    parts = "with its native extension" if native else "without its native extension, which nothing here needs"
    return Finding("ok", f"torchaudio {torchaudio.__version__} {parts}")


def _soundfile() -> Iterator[Finding]:
    import soundfile  # noqa: PLC0415 - loads a library

    yield Finding("ok", f"soundfile {soundfile.__version__} with libsndfile {soundfile.__libsndfile_version__}")
    has = {
        "MP3": "MP3" in soundfile.available_formats(),
        "Opus": "OPUS" in soundfile.available_subtypes("OGG"),
        "FLAC": "FLAC" in soundfile.available_formats(),
        "Ogg Vorbis": "VORBIS" in soundfile.available_subtypes("OGG"),
    }
    lacking = " and ".join(name for name, there in has.items() if not there)
    if lacking:
        yield Finding(
            "warning", f"this libsndfile knows no {lacking}: version 1.1 or later, as in soundfile's wheels, does"
        )


def _espeak() -> Finding:
    try:
        return Finding("ok", f"espeak-ng is {find_program()}")
    except DataError as error:
        return Finding("ok", f"only the source 'espeak' needs it: {error}")

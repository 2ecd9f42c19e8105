"""What `polydiff doctor` says of sounds."""

import shutil

import pytest
import soundfile
from polydiff_audio.checks import audio

from polydiff.plugins.checks import Finding
from polydiff.torchaudio_loader import load_torchaudio


def found():
    return {finding.message.split()[0]: finding for finding in audio()}


@pytest.mark.parametrize(
    ("native", "said"),
    [(True, "with its native extension"), (False, "without its native extension, which nothing here needs")],
)
def test_torchaudio_with_and_without_its_extension(native, said, monkeypatch):
    torchaudio = load_torchaudio()
    monkeypatch.setattr(torchaudio._extension, "_IS_TORCHAUDIO_EXT_AVAILABLE", native)
    assert found()["torchaudio"] == Finding("ok", f"torchaudio {torchaudio.__version__} {said}")


def test_the_versions_of_soundfile_and_its_library():
    said = found()["soundfile"]
    assert said.level == "ok"
    assert said.message.endswith(f"{soundfile.__version__} with libsndfile {soundfile.__libsndfile_version__}")


def test_an_old_libsndfile_is_a_warning(monkeypatch):
    monkeypatch.setattr(soundfile, "available_formats", lambda: {"WAV": "", "FLAC": "", "OGG": ""})
    monkeypatch.setattr(soundfile, "available_subtypes", lambda kind: {"VORBIS": ""})
    warnings = [finding.message for finding in audio() if finding.level == "warning"]
    assert warnings == ["this libsndfile knows no MP3 and Opus: version 1.1 or later, as in soundfile's wheels, does"]


def test_espeak_is_there(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: f"/somewhere/{program}")
    assert found()["espeak-ng"] == Finding("ok", "espeak-ng is /somewhere/espeak-ng")


def test_espeak_is_missed_by_one_source_only(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    *_, last = audio()
    assert last.level == "ok"
    assert last.message.startswith(
        "only the source 'espeak' needs it: espeak-ng is not installed: apt install espeak-ng"
    )

"""What this package registers with polydiff."""

from __future__ import annotations

from collections.abc import Iterable

import polydiff
from polydiff.plugins.specs import (
    AugmentationSpec,
    AutoencoderSpec,
    BackboneSpec,
    CheckSpec,
    CodecSpec,
    ConditionerSpec,
    FileKindSpec,
    MetricSpec,
    ModalitySpec,
    PresetSpec,
    ReconstructionSpec,
    SourceSpec,
)

POLYDIFF_API = 1

_FITS = "polydiff_audio.levels:beyond_full_scale"


@polydiff.hookimpl
def polydiff_modalities() -> Iterable[ModalitySpec]:
    """Give the modality `audio`."""
    yield ModalitySpec(
        name="audio",
        summary="sounds: WAV, FLAC, OGG, Opus and MP3",
        codecs=(
            CodecSpec("waveform", "polydiff_audio.waveform:Waveform", "the samples themselves"),
            CodecSpec("spectrogram", "polydiff_audio.spectrogram:Spectrogram", "log magnitudes, linear in frequency"),
            CodecSpec("mel", "polydiff_audio.mel:Mel", "log magnitudes on the mel scale"),
        ),
        backbones=(BackboneSpec("unet1d", "polydiff_audio.unet1d:UNet1D", "U-Net for waveforms and frames"),),
        autoencoders=(
            AutoencoderSpec("autoencoder1d", "polydiff_audio.autoencoder1d:Autoencoder1D", "convolutions, 16 to 1"),
        ),
        sources=(
            SourceSpec("folder", "polydiff_audio.folder:Folder", "a tree of recordings"),
            SourceSpec("webdataset", "polydiff_audio.folder:WebDataset", "tar shards of recordings"),
            SourceSpec("parquet", "polydiff_audio.folder:Parquet", "tables of recordings"),
            SourceSpec("hf", "polydiff_audio.folder:HuggingFace", "a data set of the Hugging Face hub"),
            SourceSpec("synth", "polydiff_audio.synth:Synth", "notes of synthetic instruments"),
            SourceSpec("espeak", "polydiff_audio.espeak:Espeak", "words spoken by espeak-ng"),
        ),
        files=(
            FileKindSpec("wav", "polydiff_audio.writers:wav", "16 bits", suffix=".wav", loss=_FITS),
            FileKindSpec("wav24", "polydiff_audio.writers:wav24", "24 bits", suffix=".wav", loss=_FITS),
            FileKindSpec("wav32", "polydiff_audio.writers:wav32", "32-bit float, any level", suffix=".wav"),
            FileKindSpec("flac", "polydiff_audio.writers:flac", "lossless, smaller", suffix=".flac", loss=_FITS),
            FileKindSpec("ogg", "polydiff_audio.writers:ogg", "Vorbis, lossy, small", suffix=".ogg", loss=_FITS),
        ),
        preview="polydiff_audio.sheet:contact_sheet",
        trajectory="polydiff_audio.sheet:trajectory",
        describe="polydiff_audio.describing:describe",
        fidelity="polydiff_audio.fidelity:fidelity",
        normalize="polydiff_audio.levels:to_full_scale",
        augmentations=(
            AugmentationSpec("crop", "polydiff_audio.augmentations:Crop", "a random part"),
            AugmentationSpec("shift", "polydiff_audio.augmentations:Shift", "earlier or later"),
            AugmentationSpec("gain", "polydiff_audio.augmentations:Gain", "louder or softer"),
            AugmentationSpec("polarity", "polydiff_audio.augmentations:Polarity", "upside down, half of the time"),
            AugmentationSpec("noise", "polydiff_audio.augmentations:Noise", "noise at a signal-to-noise ratio"),
            AugmentationSpec("mix", "polydiff_audio.augmentations:Mix", "recordings of a folder in the background"),
        ),
        presets=(
            PresetSpec("synth-notes", "polydiff_audio:presets/synth-notes.yaml", "notes by timbre and pitch, on a CPU"),
            PresetSpec("notes-text", "polydiff_audio:presets/notes-text.yaml", "notes by text, on a CPU"),
            PresetSpec("speech-digits", "polydiff_audio:presets/speech-digits.yaml", "spoken digits, on a CPU"),
            PresetSpec("folder-16k", "polydiff_audio:presets/folder-16k.yaml", "your own recordings at 16 kHz"),
        ),
    )


@polydiff.hookimpl
def polydiff_objectives() -> Iterable[ReconstructionSpec]:
    """Give the loss of sounds."""
    yield ReconstructionSpec("stft", "polydiff_audio.reconstruction:SpectralLoss", "spectra at several resolutions")


@polydiff.hookimpl
def polydiff_conditioners() -> Iterable[ConditionerSpec]:
    """Give the conditioner `sound`, for any modality."""
    yield ConditionerSpec("sound", "polydiff_audio.sound_conditioner:SoundTokens", "a sound, as tokens")


@polydiff.hookimpl
def polydiff_metrics() -> Iterable[MetricSpec]:
    """Give the metrics of sounds."""
    yield MetricSpec("audio-frechet", "polydiff_audio.metrics:frechet", "Frechet distance of embeddings", "audio")
    yield MetricSpec("audio-mmd", "polydiff_audio.metrics:mmd", "unbiased kernel MMD^2 of embeddings", "audio")
    yield MetricSpec(
        "stft-distance", "polydiff_audio.metrics:stft_distance", "multi-resolution, of pairs", "audio", pairs=True
    )
    yield MetricSpec("pitch-error", "polydiff_audio.metrics:pitch_error", "semitones, of pairs", "audio", pairs=True)


@polydiff.hookimpl
def polydiff_checks() -> Iterable[CheckSpec]:
    """Give the checks of what sounds need."""
    yield CheckSpec("audio", "polydiff_audio.checks:audio", "torchaudio, soundfile and espeak-ng")

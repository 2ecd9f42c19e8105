"""Embeddings by models of the library transformers."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from torch import Tensor

from polydiff.errors import UsageError
from polydiff.files import sha256
from polydiff.torchaudio_loader import load_torchaudio
from polydiff_audio.embeddings import Embedding


def pretrained(folder: Path, device: str = "cpu") -> Embedding:
    """Give the embedding by a model of sounds: the mean over time of what its last layer, or its encoder's, gives.

    Such are Wav2Vec 2.0, HuBERT, WavLM, the Audio Spectrogram Transformer and Whisper. Where the model's own feature
    extractor brings sounds to a fixed length, the mean is over that.

    Parameters
    ----------
    folder
        With `config.json`, `preprocessor_config.json` and weights as safetensors. Nothing is downloaded, nothing
        unpickled, and no code of the folder is run.

    Raises
    ------
    UsageError
        When transformers is missing, or the folder holds no such model.
    """
    load_torchaudio()  # transformers imports torchaudio itself, and fails where the plain import does
    try:
        transformers: Any = importlib.import_module("transformers")
    except ImportError as error:
        raise UsageError(f"{folder} needs transformers: pip install 'polydiff-audio[embeddings]'") from error
    try:
        extractor = transformers.AutoFeatureExtractor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        model, loading = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no model of sounds for transformers: {error}") from error
    if model.main_input_name not in extractor.model_input_names:
        raise UsageError(f"{folder} holds a {model.config.model_type}, not of sounds alone; wrap it as an Embedding")
    encoder = (model.get_encoder() if model.config.is_encoder_decoder else model).to(device).eval()
    rate: int = extractor.sampling_rate

    def states(waveforms: Tensor) -> Tensor:
        features = extractor(list(waveforms.numpy()), sampling_rate=rate, return_tensors="pt").to(device)
        last: Tensor = encoder(**features).last_hidden_state
        return last.mean(1)

    details: dict[str, Any] = {
        "model": model.config.model_type,
        "sha256": {path.name: sha256(path) for path in sorted(folder.glob("*.safetensors"))},
        "untrained": sorted(loading["missing_keys"]),
    }
    return Embedding(str(folder), rate, states, details)

"""Embeddings by models of transformers, tiny and untrained."""

import json

import numpy as np
import pytest
import torch
from polydiff_audio.embeddings import embed, find_embedding
from polydiff_audio.metrics import frechet
from polydiff_audio.sound import Sound

from polydiff.errors import UsageError
from polydiff.torchaudio_loader import load_torchaudio

load_torchaudio()  # before transformers imports it
transformers = pytest.importorskip("transformers")
SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


def save(folder, model, extractor):
    torch.manual_seed(0)
    model().save_pretrained(folder)
    extractor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def wav2vec(tmp_path_factory):
    convolutions = {"conv_dim": (8, 8), "conv_stride": (5, 4), "conv_kernel": (10, 8), "num_feat_extract_layers": 2}
    config = transformers.Wav2Vec2Config(
        **SMALL, **convolutions, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2
    )
    extractor = transformers.Wav2Vec2FeatureExtractor(sampling_rate=8000)
    return save(tmp_path_factory.mktemp("wav2vec"), lambda: transformers.Wav2Vec2Model(config), extractor)


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    sides = {
        f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in {"layers": 1, "ffn_dim": 16}.items()
    }
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    tokens = {"vocab_size": 9, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    config = transformers.WhisperConfig(d_model=16, **sides, **heads, **tokens, max_source_positions=50)
    extractor = transformers.WhisperFeatureExtractor(chunk_length=1)
    return save(tmp_path_factory.mktemp("whisper"), lambda: transformers.WhisperModel(config), extractor)


def sounds(count, rate=8000, frames=4000):
    generator = np.random.default_rng(0)
    return [Sound(generator.standard_normal((1, frames)).astype(np.float32) / 10, rate) for _ in range(count)]


def test_the_embedding_is_the_mean_over_time_of_the_last_layer(wav2vec):
    embedding = find_embedding(str(wav2vec))
    assert embedding.rate == 8000
    points = embed(embedding, sounds(3), "real")
    model = transformers.Wav2Vec2Model.from_pretrained(wav2vec).eval()
    for sound, point in zip(sounds(3), points, strict=True):
        samples = sound.samples - sound.samples.mean()
        normalised = torch.from_numpy(samples / np.sqrt(samples.var() + 1e-7))
        with torch.no_grad():
            expected = model(normalised).last_hidden_state[0].mean(0)
        torch.testing.assert_close(point.float(), expected, atol=1e-4, rtol=1e-3)


def test_of_an_encoder_and_a_decoder_the_encoder_counts(whisper):
    embedding = find_embedding(whisper)
    points = embed(embedding, sounds(2, rate=16000), "real")
    assert points.shape == (2, 16)
    assert not torch.equal(points[0], points[1])


def test_the_record_says_which_model(wav2vec):
    record = frechet(sounds(4), sounds(4), embedding=wav2vec)
    assert record["value"] == pytest.approx(0, abs=1e-6)
    told = json.loads(json.dumps(record))["embedding"]
    assert (told["name"], told["model"], told["rate"], told["dimensions"]) == (str(wav2vec), "wav2vec2", 8000, 16)
    assert len(told["sha256"]["model.safetensors"]) == 64
    assert told["untrained"] == []


def test_weights_that_the_folder_does_not_have_are_told(wav2vec, tmp_path):
    from safetensors.torch import load_file, save_file

    for file in wav2vec.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert find_embedding(tmp_path).details["untrained"] == ["masked_spec_embed"]


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no model of sounds"):
        find_embedding(tmp_path)


def test_pickled_weights_are_refused(wav2vec, tmp_path):
    for file in wav2vec.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UsageError, match="holds no model of sounds"):
        find_embedding(tmp_path)


def test_code_of_the_folder_is_not_run(wav2vec, tmp_path):
    for file in wav2vec.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "theirs", "auto_map": {"AutoConfig": "theirs.Config", "AutoModel": "theirs.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "theirs.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')")
    with pytest.raises(UsageError, match="holds no model of sounds"):
        find_embedding(tmp_path)
    assert not (tmp_path / "run").exists()


def test_a_model_of_sounds_and_texts_is_refused(tmp_path):
    audio = {"hidden_size": 64, "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2], "spec_size": 64}
    config = transformers.ClapConfig(
        text_config={**SMALL, "vocab_size": 9}, audio_config={**audio, "patch_embeds_hidden_size": 8}, projection_dim=8
    )
    save(tmp_path, lambda: transformers.ClapModel(config), transformers.ClapFeatureExtractor())
    with pytest.raises(UsageError, match="holds a clap, not of sounds alone"):
        find_embedding(tmp_path)

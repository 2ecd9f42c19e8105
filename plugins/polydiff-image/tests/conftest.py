from contextlib import suppress

import pytest
import torch

from polydiff.torchaudio_loader import load_torchaudio

VOCABULARY = ["<|startoftext|>", "<|endoftext|>", *(letter + end for letter in "abcdefghij" for end in ("", "</w>"))]


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """Give a tiny CLIP of random weights, as transformers saves it."""
    with suppress(ImportError):
        load_torchaudio()  # transformers fails where it is installed and cannot be loaded
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("clip")
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**sizes, **ends, "vocab_size": len(VOCABULARY), "max_position_embeddings": 12}
    config = transformers.CLIPConfig(
        text_config=text, vision_config={**sizes, "image_size": 16, "patch_size": 4}, projection_dim=8
    )
    torch.manual_seed(0)
    model = transformers.CLIPModel(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.logit_scale.data.fill_(2.0)
    model.save_pretrained(folder)
    vocabulary = {token: i for i, token in enumerate(VOCABULARY)}
    transformers.CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    return folder

from dataclasses import dataclass

import numpy as np
import pytest
import soundfile
import torch
from polydiff_audio.sound import Sound
from polydiff_audio.sound_conditioner import SoundTokens

from polydiff.core.condition import ConditionDims
from polydiff.errors import DataError, UsageError
from polydiff.model.model import Model
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.schema import ModelConfig, SampleConfig
from polydiff.testing.small_run import shaken

SMALL = {"rate": 8000, "duration": 0.5, "n_fft": 256, "hop": 64, "n_mels": 16, "width": 32, "layers": 1}


def tone(pitch, seconds, rate=8000):
    return Sound(0.5 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)[None].astype("f4"), rate)


@pytest.fixture
def sound():
    torch.manual_seed(0)
    conditioner = SoundTokens(**SMALL, center=3.0, scale=2.0).eval()
    for parameter in conditioner.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    return conditioner


def test_the_same_sound_alone_and_among_others(sound):
    values = [sound.prepare(tone(440, 0.5)), None, sound.prepare(tone(880, 0.2)), sound.prepare(tone(440, 2.0))]
    together = sound(values)
    assert together.tokens.shape == (4, sound.length, 32)
    assert not together.tokens[1].any()
    assert not together.vector[1].any()
    assert not together.mask[1].any()
    assert together.mask[[0, 3]].all()
    assert together.mask[2].sum() == -(-25 // 4)  # 0.2 s of 64 samples a frame, 4 frames a token
    for i in (0, 2):
        torch.testing.assert_close(sound(values[i : i + 1]).tokens[0], together.tokens[i], rtol=0, atol=1e-5)
    assert (together.vector[0] - together.vector[2]).abs().max() > 1e-2
    assert sound.dims == ConditionDims(vector=32, tokens=32)


def test_files_of_any_rate_are_read(sound, tmp_path):
    wave = tone(440, 0.5, 16000)
    soundfile.write(tmp_path / "tone.wav", wave.samples.T, 16000, subtype="FLOAT")
    read = sound.parse(str(tmp_path / "tone.wav"))
    np.testing.assert_allclose(read, sound.prepare(wave), atol=1e-3)
    assert sound.describe(read) == "0.504 s"
    np.testing.assert_array_equal(sound.prepare(tmp_path / "tone.wav"), read)
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(DataError, match=r"text\.wav .*"):
        sound.prepare(tmp_path / "text.wav")
    with pytest.raises(UsageError, match=r"none\.wav"):
        sound.parse(str(tmp_path / "none.wav"))
    with pytest.raises(DataError, match="takes a sound, not int"):
        sound.prepare(3)
    with pytest.raises(UsageError):
        SoundTokens(patch=0)


@dataclass
class Heard:
    sound: Sound | None
    facts: tuple = ("sound",)

    def get(self, key):
        return self.sound if key == "sound" else None


def test_it_measures_the_data():
    source = [Heard(tone(440, 0.5)), Heard(None), Heard(tone(200, 0.5))]
    options = SoundTokens.options_from(source, "sound", SMALL)
    conditioner = SoundTokens(**options)
    every = np.concatenate([conditioner.prepare(each.sound) for each in source if each.sound])
    assert options["center"] == pytest.approx(every.mean(), rel=1e-5)
    assert options["scale"] == pytest.approx(every.std(), rel=1e-5)
    with pytest.raises(DataError, match="no example has the fact 'noise'"):
        SoundTokens.options_from(source, "noise", SMALL)


def test_a_sound_conditions_a_picture(tmp_path):
    torch.manual_seed(0)
    config = ModelConfig(
        modality="image",
        codec=Component("pixels", {"size": 4, "channels": 1}),
        backbone=Component("unet2d", {"channels": 8, "multipliers": [1, 1], "blocks": 1, "head_width": 8}),
        conditions={"sound": ConditionConfig("sound", {**SMALL, "center": 3.0, "scale": 2.0})},
        sample=SampleConfig(steps=2),
    )
    model = shaken(Model.from_config(config))
    for pitch in (300, 900):
        soundfile.write(tmp_path / f"{pitch}.wav", tone(pitch, 0.3).samples.T, 8000)
    low, high = (model.generate(1, sound=str(tmp_path / f"{pitch}.wav"))[0] for pitch in (300, 900))
    (silent,) = model.generate(1)
    assert len({low.tobytes(), high.tobytes(), silent.tobytes()}) == 3

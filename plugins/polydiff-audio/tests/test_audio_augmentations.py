"""Random changes to sounds."""

import numpy as np
import pytest
import soundfile
from polydiff_audio.augmentations import Crop, Gain, Mix, Noise, Polarity, Shift
from polydiff_audio.folder import Folder
from polydiff_audio.sound import Sound

from polydiff.errors import DataError, UsageError

RATE = 8000


def rng(seed=0):
    return np.random.default_rng(seed)


def chirp(channels=1, frames=RATE, rate=RATE):
    """Make a sound whose every part differs from every other; the second channel is softer."""
    sweep = np.sin(np.cumsum(np.linspace(0.05, 0.5, frames)))
    return Sound((sweep * np.array([[0.5], [0.1]])[:channels]).astype(np.float32), rate)


def decibels(sound, noise):
    return 10 * np.log10(np.mean(sound.astype(np.float64) ** 2) / np.mean(noise.astype(np.float64) ** 2))


@pytest.fixture
def backgrounds(tmp_path):
    """Make a folder of a long and a short recording at another rate, of tones of 1 kHz and 2 kHz."""
    for name, frequency, seconds in (("long.wav", 1000, 20), ("sub/short.wav", 2000, 0.25)):
        path = tmp_path / "background" / name
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * 22050)) / 22050), 22050)
    return tmp_path / "background"


def test_crop_takes_a_part():
    sound, generator, starts = chirp(2), rng(), set()
    for _ in range(50):
        part = Crop(0.1)(sound, generator)
        assert (part.samples.shape, part.rate) == ((2, 800), RATE)
        start = int(np.flatnonzero(sound.samples[0] == part.samples[0, 0])[0])
        assert np.array_equal(part.samples, sound.samples[:, start : start + 800])
        starts.add(start)
    assert len(starts) > 40


def test_crop_reaches_both_ends():
    generator = rng()
    firsts = {
        Crop(0.01)(Sound(np.arange(83, dtype=np.float32)[None], RATE), generator).samples[0, 0] for _ in range(99)
    }
    assert firsts == {0, 1, 2, 3}


@pytest.mark.parametrize("seconds", [1, 1.5, 100])
def test_crop_leaves_what_is_no_longer_than_the_part(seconds):
    sound = chirp()
    assert Crop(seconds)(sound, rng()) is sound


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_a_crop_is_enough_for_the_codecs_window(rate):
    part = Crop(1.024)(Sound(np.zeros((1, 4 * rate), np.float32), rate), rng())
    assert 0 <= part.frames - 1.024 * rate < 1


def test_crop_reads_a_second_of_an_hour(tmp_path, monkeypatch):
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", RATE, 1) as file:
        for _ in range(60):
            file.write(np.zeros(60 * RATE))
    read, counts = soundfile.SoundFile.read, []
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n, **k: counts.append(n) or read(self, n, **k))
    part = Crop(1)(Folder(tmp_path, rate=16000)[0].content, rng())
    assert part.samples.shape == (1, 16000)
    (count,) = counts
    assert count < RATE + 300


def test_shift_moves_and_lets_silence_in():
    sound, generator, moves = chirp(2), rng(), set()
    for _ in range(200):
        moved = Shift(0.01)(sound, generator)
        assert (moved.samples.shape, moved.rate) == ((2, RATE), RATE)
        (later,) = [
            k for k in range(-80, 81) if np.array_equal(np.roll(sound.samples, k)[0, 99:-99], moved.samples[0, 99:-99])
        ]
        silent = moved.samples[:, :later] if later > 0 else moved.samples[:, RATE + later :]
        assert not silent.any()
        moves.add(later)
    assert min(moves) < -70
    assert max(moves) > 70
    assert len(moves) > 90


def test_shift_moves_a_short_sound_by_half_of_it_at_most():
    generator = rng()
    for _ in range(50):
        assert np.count_nonzero(Shift(10)(Sound(np.ones((1, 10), np.float32), RATE), generator).samples) >= 5
    assert Shift(10)(Sound(np.ones((1, 1), np.float32), RATE), generator).samples.tolist() == [[1]]


def test_gain_scales_by_so_many_decibels():
    sound, generator = chirp(2), rng()
    gains = []
    for _ in range(300):
        louder = Gain(-12, 6)(sound, generator)
        gains.append(decibels(louder.samples, sound.samples))
        assert np.allclose(louder.samples, sound.samples * 10 ** (gains[-1] / 20), atol=1e-6)
    assert -12 < min(gains) < -11.5
    assert 5.5 < max(gains) < 6
    assert abs(np.mean(gains) + 3) < 4 * 18 / np.sqrt(12 * 300)


def test_polarity_turns_as_often_as_asked():
    sound, generator = chirp(), rng()
    turned = 0
    for _ in range(1000):
        changed = Polarity(0.3)(sound, generator).samples
        turned += np.array_equal(changed, -sound.samples)
        assert np.array_equal(np.abs(changed), np.abs(sound.samples))
    assert abs(turned - 300) < 4 * np.sqrt(1000 * 0.3 * 0.7)


@pytest.mark.parametrize("color", ["white", "pink"])
@pytest.mark.parametrize("channels", [1, 2])
def test_noise_is_so_far_below_the_sound(color, channels):
    sound, generator, ratios = chirp(channels), rng(), []
    for _ in range(100):
        added = Noise(10, 30, color, p=1)(sound, generator).samples - sound.samples
        ratios.append(decibels(sound.samples, added))
    assert 9.9 < min(ratios) < 11
    assert 29 < max(ratios) < 30.1
    exact = Noise(20, 20, color, p=1)(sound, generator).samples - sound.samples
    assert decibels(sound.samples, exact) == pytest.approx(20, abs=0.01)


@pytest.mark.parametrize(("color", "slope"), [("white", 0), ("pink", -1)])
def test_noise_has_its_spectrum(color, slope):
    sound = chirp(2, frames=2**17)
    noise = Noise(0, 0, color, p=1)(sound, rng()).samples - sound.samples
    power = np.square(np.abs(np.fft.rfft(noise)))
    octaves = [power[:, 2**k : 2 ** (k + 1)].mean() for k in range(6, 16)]
    assert np.polyfit(np.arange(10) * np.log(2), np.log(octaves), 1)[0] == pytest.approx(slope, abs=0.05)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.1


def test_noise_comes_as_often_as_asked():
    sound, generator = chirp(frames=10), rng()
    clean = sum(Noise(p=0.7)(sound, generator) is sound for _ in range(1000))
    assert abs(clean - 300) < 4 * np.sqrt(1000 * 0.3 * 0.7)


@pytest.mark.parametrize("channels", [1, 2])
def test_mix_adds_recordings_of_a_folder(backgrounds, channels):
    sound, generator, heard = chirp(channels, rate=16000), rng(), set()
    for _ in range(30):
        mixed = Mix(backgrounds, 6, 6, p=1)(sound, generator)
        added = mixed.samples - sound.samples
        assert mixed.rate == 16000
        assert np.allclose(added, added[0], atol=1e-6)
        assert decibels(sound.samples, added) == pytest.approx(6, abs=0.01)
        spectrum = np.abs(np.fft.rfft(added[0] * np.hanning(added.shape[1])))
        heard.add(round(np.argmax(spectrum) * 16000 / added.shape[1], -1))
    assert heard == {1000, 2000}


def test_mix_takes_a_part_anywhere_and_reads_no_more(backgrounds, monkeypatch):
    change, counts, generator = Mix(backgrounds, 6, 6, p=1), [], rng()
    read = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, n, **k: counts.append(n) or read(self, n, **k))
    results = {change(chirp(), generator).samples.tobytes() for _ in range(20)}
    assert len(results) > 5  # of the short one there is one part
    assert max(counts) <= 22050


def test_mix_names_the_recording_that_it_cannot_read(backgrounds):
    change = Mix(backgrounds, p=1)
    for path in backgrounds.rglob("*.wav"):
        path.unlink()
    with pytest.raises(DataError, match=r"the background (long|sub/short)\.wav: cannot be opened: No such file"):
        change(chirp(), rng())


def test_mix_wants_a_folder_that_can_be_read(backgrounds):
    (backgrounds / "c.wav").write_text("no sound")
    with pytest.raises(DataError, match=r"background: c\.wav: is no sound .*; take it out of the folder"):
        Mix(backgrounds)


def changes(backgrounds):
    noises = [Noise(p=0.9), Noise(color="pink")]
    return [Crop(0.3), Shift(), Gain(), Polarity(), *noises, Mix(backgrounds)]


def test_all_randomness_comes_from_the_generator(backgrounds):
    for change in changes(backgrounds):
        first, second = ([change(chirp(), rng(seed)).samples.tobytes() for seed in range(9)] for _ in range(2))
        assert first == second
        assert len(set(first)) > 1


def test_sounds_are_changed_in_no_place(backgrounds):
    sound = chirp(2)
    for change in changes(backgrounds):
        for seed in range(5):
            changed = change(sound, rng(seed))
            assert (changed.samples.dtype, changed.channels, changed.rate) == (np.float32, 2, RATE)
        assert np.array_equal(sound.samples, chirp(2).samples)


def test_silence_stays_silent(backgrounds):
    silence = Sound(np.zeros((2, RATE), np.float32), RATE)
    for change in changes(backgrounds):
        for seed in range(5):
            assert not change(silence, rng(seed)).samples.any()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Crop, {"seconds": 0}),
        (Crop, {"seconds": float("inf")}),
        (Shift, {"seconds": -1}),
        (Gain, {"low_db": 3, "high_db": 2}),
        (Gain, {"low_db": float("nan")}),
        (Polarity, {"p": 1.1}),
        (Noise, {"low_db": 50}),
        (Noise, {"p": -0.1}),
        (Mix, {"path": "nowhere", "p": 2}),
    ],
)
def test_options_out_of_range_are_refused(kind, options):
    with pytest.raises(UsageError, match=list(options)[-1]):
        kind(**options)

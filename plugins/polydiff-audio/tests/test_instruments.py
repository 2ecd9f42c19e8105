"""The instruments, each by what physics or its inventors say of it."""

import math

import numpy as np
import pytest
from polydiff_audio.instruments import INSTRUMENTS, TIMBRES
from polydiff_audio.instruments.bell import RATIO, bell
from polydiff_audio.instruments.drum import OVERTONE, drum
from polydiff_audio.instruments.instrument import falling
from polydiff_audio.instruments.organ import DRAWBARS, organ
from polydiff_audio.instruments.pluck import string
from scipy.optimize import minimize_scalar
from scipy.signal import hilbert
from scipy.special import jn_zeros

RATE = 8000
CENT = 2 ** (1 / 1200)
PITCHES = [65.41, 130.81, 200, 261.63, 440.9, 777.7, 1046.5, 1999]


def seeded(seed=0):
    return np.random.default_rng(seed)


def level(wave, frequency, rate=RATE):
    """Give the amplitude of a sine of that frequency in a wave, under a Hann window."""
    window = np.hanning(len(wave))
    turn = np.exp(-2j * math.pi * frequency / rate * np.arange(len(wave)))
    return 2 * abs((wave * window) @ turn) / window.sum()


def strongest(wave, near, rate=RATE):
    """Give the frequency, within a semitone, at which a wave is strongest."""
    bounds = near * 2 ** (-1 / 12), near * 2 ** (1 / 12)
    found = minimize_scalar(lambda f: -level(wave, f, rate), bounds=bounds, method="bounded", options={"xatol": 1e-5})
    return found.x


def impulse(frames=RATE):
    burst = np.zeros(frames)
    burst[0] = 1
    return burst


@pytest.mark.parametrize("frequency", PITCHES)
def test_a_string_is_tuned_exactly(frequency):
    wave = string(impulse(), frequency, RATE, ring=3, dullness=0.5)
    assert strongest(wave, frequency) / frequency == pytest.approx(1, abs=0.05 * (CENT - 1))


@pytest.mark.parametrize("frequency", PITCHES)
@pytest.mark.parametrize("ring", [0.3, 2.5])
def test_the_fundamental_of_a_string_falls_by_60_db_in_its_ring(frequency, ring):
    wave = string(impulse(2 * RATE), frequency, RATE, ring=ring, dullness=0.5)
    quarter, part = round(ring * RATE / 4), round(10 * RATE / frequency)
    start = round(ring * RATE / 8)
    before, after = (level(wave[at : at + part], frequency) for at in (start, start + quarter))
    assert 20 * math.log10(before / after) == pytest.approx(15, abs=0.5)


def test_a_dull_string_loses_its_upper_partials_sooner():
    bright, dull = (string(impulse(), 200, RATE, ring=2, dullness=each) for each in (0.1, 0.9))
    upper = [level(wave[1000:3000], 1200) / level(wave[1000:3000], 200) for wave in (bright, dull)]
    assert upper[0] > 3 * upper[1]


@pytest.mark.parametrize("frequency", PITCHES)
def test_a_string_never_grows(frequency):
    wave = string(impulse(20 * RATE), frequency, RATE, ring=1, dullness=0.01)
    seconds = np.abs(wave).reshape(20, RATE).max(1)
    assert (np.diff(seconds) <= 0).all()
    assert seconds[-1] < 1e-6


def test_falling_is_60_db_in_the_time_given():
    fall = falling(0.5, RATE, RATE)
    assert fall[0] == 1
    assert fall[RATE // 2] == pytest.approx(1e-3)


def test_a_bell_has_the_partials_of_frequency_modulation():
    """Sidebands stand at |1 + RATIO n|; between them there is nothing."""
    wave = bell(400, RATE, RATE, seeded())[:2000]
    partials = [level(wave, abs(1 + RATIO * n) * 400) for n in range(-2, 3)]
    between = [level(wave, ratio * 400) for ratio in (0.7, 1.4, 2.1, 3.1)]
    assert min(partials) > 3 * max(between)


@pytest.mark.parametrize("frequency", [130.81, 440, 1046.5])
def test_of_a_bell_the_pitch_remains(frequency):
    for seed in range(5):
        wave = bell(frequency, RATE, RATE, seeded(seed))
        overtones = [
            max(level(part, abs(1 + RATIO * n) * frequency) for n in (-2, -1, 1)) / level(part, frequency)
            for part in (wave[:1600], wave[-1600:])
        ]
        assert overtones[0] > 0.1
        assert overtones[1] < 0.05
        assert strongest(wave[-3200:], frequency) / frequency == pytest.approx(1, abs=CENT - 1)


def test_a_high_bell_has_no_partials_that_are_mirrored():
    """Of its energy, 99 % is where Chowning's sidebands are, of those that lie below half the rate."""
    frequency = 1046.5
    wave = bell(frequency, RATE, RATE, seeded(3))
    energy = np.square(np.abs(np.fft.rfft(wave * np.hanning(RATE))))  # in bins of 1 Hz
    partials = [abs(1 + RATIO * n) * frequency for n in range(-3, 3)]
    near = np.any([np.abs(np.arange(len(energy)) - partial) <= 15 for partial in partials], 0)
    assert energy[near].sum() > 0.99 * energy.sum()


@pytest.mark.parametrize("frequency", [130.81, 440, 1046.5])
def test_an_organ_has_the_partials_of_its_drawbars(frequency):
    for seed in range(5):
        wave = organ(frequency, RATE, RATE, seeded(seed))[400:3600]
        pipes = [ratio * frequency for ratio in DRAWBARS if ratio * frequency < RATE / 2]
        levels = [level(wave, pipe) for pipe in pipes]
        assert levels[0] == pytest.approx(max(levels), rel=0.02)
        assert level(wave, 7 * frequency) < 0.01 * levels[0] or 7 * frequency > RATE / 2
        assert level(wave, frequency / 2) < 0.01 * levels[0]
        steps = [20 * math.log10(each / levels[0]) / 3 for each in levels if each > 0.01 * levels[0]]
        assert np.allclose(steps, np.round(steps), atol=0.1)


def test_an_organ_ends_when_the_key_is_released():
    wave = organ(300, RATE, RATE, seeded())
    assert wave[0] == wave[-1] == 0
    assert np.abs(wave[:4000]).max() > 0.5


def test_the_second_mode_of_a_drum_is_that_of_a_membrane():
    assert pytest.approx(jn_zeros(1, 1)[0] / jn_zeros(0, 1)[0], abs=1e-3) == OVERTONE


@pytest.mark.parametrize("frequency", [130.81, 440, 1046.5])
def test_a_drum_falls_to_its_pitch(frequency):
    for seed in range(5):
        wave = drum(frequency, RATE, RATE, seeded(seed))
        heard = np.unwrap(np.angle(hilbert(wave)))
        start, end = ((heard[b] - heard[a]) / (b - a) * RATE / 2 / math.pi for a, b in ((80, 240), (2400, 4000)))
        assert end / frequency == pytest.approx(1, abs=5 * (CENT - 1))
        assert start > 1.03 * frequency
        assert strongest(wave[2000:], frequency) / frequency == pytest.approx(1, abs=CENT - 1)


@pytest.mark.parametrize("timbre", TIMBRES)
def test_a_note_starts_at_once_and_is_a_function_of_its_generator(timbre):
    play = INSTRUMENTS[timbre]
    first, again, other = (play(500.5, 4000, RATE, seeded(seed)) for seed in (1, 1, 2))
    assert first.shape == (4000,)
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
    assert np.abs(first[:400]).max() > 0.3 * np.abs(first).max()


@pytest.mark.parametrize("timbre", TIMBRES)
@pytest.mark.parametrize("rate", [8000, 44100])
def test_every_pitch_up_to_a_quarter_of_the_rate_can_be_played(timbre, rate):
    for frequency in (20, rate / 9.3, rate / 4):
        assert np.isfinite(INSTRUMENTS[timbre](frequency, 2000, rate, seeded())).all()

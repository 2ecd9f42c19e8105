"""Importing torchaudio with any torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from polydiff.torchaudio_loader import load_torchaudio

_LOAD = """
import sys, torch
def load_library(path):
    raise {error}
torch.ops.load_library = load_library
from polydiff.torchaudio_loader import load_torchaudio
torchaudio = load_torchaudio()
import torchaudio.functional, torchaudio.transforms
assert sys.modules["torchaudio"] is torchaudio is load_torchaudio()
assert torchaudio.transforms.MelScale(8, 8000, n_stft=65)(torch.ones(65, 3)).shape == (8, 3)
"""


def python(program):
    return subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False)


def test_what_is_loaded_computes():
    torchaudio = load_torchaudio()
    x, y = np.random.default_rng(0).normal(size=(2, 3, 50))
    result = torchaudio.functional.fftconvolve(torch.from_numpy(x), torch.from_numpy(y))
    np.testing.assert_allclose(result, fftconvolve(x, y, axes=-1), atol=1e-12)


def test_it_is_loaded_once():
    assert load_torchaudio() is load_torchaudio() is sys.modules["torchaudio"]


@pytest.mark.parametrize("error", ["OSError('libc10_cuda.so is missing')", "RuntimeError('another CUDA version')"])
def test_a_native_extension_that_does_not_load_is_left_out(error):
    run = python(_LOAD.format(error=error))
    assert run.returncode == 0, run.stderr


def test_without_torchaudio_it_is_missed():
    run = python("""
import sys
sys.modules["torchaudio"] = None
from polydiff.torchaudio_loader import load_torchaudio
load_torchaudio()
""")
    assert "ModuleNotFoundError: import of torchaudio halted" in run.stderr


def test_threads_may_ask_for_it_at_once():
    run = python("""
from concurrent.futures import ThreadPoolExecutor
from polydiff.torchaudio_loader import load_torchaudio
with ThreadPoolExecutor(8) as pool:
    loaded = list(pool.map(lambda _: load_torchaudio(), range(8)))
assert len(set(map(id, loaded))) == 1
""")
    assert run.returncode == 0, run.stderr

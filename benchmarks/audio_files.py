"""Sounds from files of 16 bits, which is how the benchmarks of audio hear all of them."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import soundfile
import torch
from polydiff_audio.sound import Audible, Sound
from polydiff_audio.writers import wav

from polydiff.data.codec import Codec
from polydiff.generation.generate import generate
from polydiff.generation.request import Request


def through_wav(sounds: Iterable[Audible]) -> list[Sound]:
    """Write sounds as WAV files of 16 bits, and read them."""
    return [_read(wav(sound, {})) for sound in sounds]


def round_trip(sounds: Iterable[Audible], codec: Codec) -> list[Sound]:
    """Encode and decode."""
    return through_wav(codec.decode(torch.stack([codec.encode(sound) for sound in sounds])))


def generated(run: Path, request: Request) -> tuple[Sequence[Sound], list[dict[str, Any]]]:
    """Generate as `polydiff generate` does; give the sounds and the lines of `samples.jsonl`."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        records = generate(run, request, folder)
        print(f"polydiff: {request.count} sounds in {time.perf_counter() - start:.1f} s")
        return [_read((Path(folder) / record["file"]).read_bytes()) for record in records], records


def _read(file: bytes) -> Sound:
    samples, rate = soundfile.read(io.BytesIO(file), dtype="float32", always_2d=True)
    return Sound(samples.T, rate)

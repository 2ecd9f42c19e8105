"""The conformance kit itself: it passes a sound plugin, and each of its tests fails when it should."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from polydiff.cli.new_plugin import write
from polydiff.errors import DataError
from polydiff.plugins.host import host
from polydiff.testing import ModalityConformance
from polydiff.testing.small_run import Trained, build_parts, shaken
from polydiff.training.validation import Estimate

OVERRIDES = ("backbone.channels=8", "codec.points=16", "data.source={name: waves, count: 60, points: 16}")


def install(folder: Path) -> None:
    """Write a new plugin `ripples` and what an installer would write beside it."""
    write("ripples", folder / "source")
    info = folder / "source" / "polydiff_ripples-0.1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[polydiff]\nripples = polydiff_ripples.plugin\n")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("ripples")
    install(folder)
    sys.path.insert(0, str(folder / "source"))
    host.cache_clear()
    names = ("sources", "codec", "backbone", "files")
    yield SimpleNamespace(**{name: importlib.import_module(f"polydiff_ripples.{name}") for name in names})
    sys.path.remove(str(folder / "source"))
    host.cache_clear()


@pytest.fixture(autouse=True)
def search_path(package: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path[:1]))


def check(test: str, tmp_path: Path, **given: Any) -> None:
    """Run one test of the kit on `ripples`, with what it asks for."""
    parts = build_parts("ripples", OVERRIDES)
    model = shaken(parts.model)
    model.save(tmp_path / "run")
    source, codec = parts.examples.source, parts.model.codec
    offered = {
        "parts": parts,
        "model": model,
        "tmp_path": tmp_path,
        "trained": Trained(tmp_path / "run", before=Estimate(1.0, 0.1), after=Estimate(0.8, 0.1)),
    }
    method = getattr(ModalityConformance(), f"test_{test}")
    wanted = inspect.signature(method).parameters
    if "x" in wanted:
        offered["x"] = torch.stack([codec.encode(source[index].content) for index in range(4)])
    method(**{name: value for name, value in (offered | given).items() if name in wanted})


TESTS = [name.removeprefix("test_") for name in vars(ModalityConformance) if name.startswith("test_")]


@pytest.mark.parametrize("test", TESTS)
def test_sound_plugin_passes(test: str, tmp_path: Path) -> None:
    check(test, tmp_path)


def forgetful(package, patch) -> None:
    make, calls = package.sources.Waves.__getitem__, iter(range(1000))

    def again(self, index):
        example = make(self, index)
        return type(example)(example.content + next(calls), example.name, example.label)

    patch.setattr(package.sources.Waves, "__getitem__", again)


def mislabelled(package, patch) -> None:
    make = package.sources.Waves.__getitem__
    wrong = lambda self, i: type(e := make(self, i))(e.content, e.name, "circle")  # noqa: E731
    patch.setattr(package.sources.Waves, "__getitem__", wrong)


def in_double(package, patch) -> None:
    encode = package.codec.Points.encode
    patch.setattr(package.codec.Points, "encode", lambda self, content: encode(self, content).double())


def lossy(package, patch) -> None:
    decode = package.codec.Points.decode
    patch.setattr(package.codec.Points, "decode", lambda self, x: decode(self, x * 0.9))


def undemanding(package, patch) -> None:
    patch.setattr(package.backbone.CurveUNet, "check_shape", lambda self, shape: None)


def deaf(package, patch) -> None:
    forward = package.backbone.CurveUNet.forward
    patch.setattr(package.backbone.CurveUNet, "forward", lambda self, x, log_snr, cond=None: forward(self, x, log_snr))


def leaky(package, patch) -> None:
    forward = package.backbone.CurveUNet.forward
    leak = lambda self, x, log_snr, cond=None: forward(self, x, log_snr, cond) + 1e-3 * (cond is not None)  # noqa: E731
    patch.setattr(package.backbone.CurveUNet, "forward", leak)


def gregarious(package, patch) -> None:
    forward = package.backbone.CurveUNet.forward
    mixed = lambda self, x, log_snr, cond=None: forward(self, x, log_snr, cond) + x.mean(0)  # noqa: E731
    patch.setattr(package.backbone.CurveUNet, "forward", mixed)


def unsaved(package, patch) -> None:
    forward, drawn = package.backbone.CurveUNet.forward, {}

    def with_own_bias(self, x, log_snr, cond=None):
        return forward(self, x, log_snr, cond) + drawn.setdefault(self, torch.randn(1))

    patch.setattr(package.backbone.CurveUNet, "forward", with_own_bias)
    patch.setattr(package.backbone.CurveUNet, "__hash__", object.__hash__)


def empty_files(package, patch) -> None:
    patch.setattr(package.files, "txt", lambda content, metadata: b"")


def no_png(package, patch) -> None:
    patch.setattr(package.files, "preview", lambda contents, captions: b"GIF89a")


@pytest.mark.parametrize(
    ("sabotage", "test", "error"),
    [
        (forgetful, "source_is_repeatable", AssertionError),
        (mislabelled, "source_is_repeatable", AssertionError),
        (in_double, "codec_encodes_to_its_shape", AssertionError),
        (lossy, "codec_round_trip", AssertionError),
        (undemanding, "backbone_keeps_shapes", pytest.fail.Exception),
        (deaf, "dropped_condition_is_no_condition", AssertionError),
        (leaky, "dropped_condition_is_no_condition", AssertionError),
        (gregarious, "samples_do_not_depend_on_the_batch", AssertionError),
        (unsaved, "saved_model_comes_back_equal", AssertionError),
        (empty_files, "generated_files_can_be_read", DataError),
        (no_png, "previews_and_trajectories_are_pictures", AssertionError),
    ],
)
def test_unsound_plugin_fails(
    sabotage, test: str, error: type[BaseException], package, monkeypatch, tmp_path: Path
) -> None:
    sabotage(package, monkeypatch)
    with pytest.raises(error):
        check(test, tmp_path)


def test_training_that_teaches_nothing_fails(tmp_path: Path) -> None:
    taught = Trained(tmp_path, before=Estimate(1.0, 0.1), after=Estimate(0.95, 0.1))
    with pytest.raises(AssertionError):
        check("training_lowers_the_validation_loss", tmp_path, trained=taught)


def test_discovery_that_imports_torch_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heavy = tmp_path / "heavy"
    install(heavy)
    (heavy / "source" / "torch.py").write_text("")
    module = heavy / "source" / "polydiff_ripples" / "plugin.py"
    module.write_text(module.read_text().replace("import polydiff\n", "import polydiff\nimport torch\n"))
    monkeypatch.setenv("PYTHONPATH", str(heavy / "source"))
    with pytest.raises(AssertionError, match="discovery imported torch"):
        check("discovery_imports_no_torch", tmp_path)

"""The conformance kit: what the engine relies on in a modality, as tests that a plugin subclasses."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
import torch
from torch import Tensor

import polydiff
from polydiff.core.noise import Seeds
from polydiff.data.source import Source
from polydiff.errors import UsageError
from polydiff.generation.generate import generate
from polydiff.generation.request import Request
from polydiff.model.model import Model
from polydiff.nn.backbone import Backbone
from polydiff.plugins.host import host
from polydiff.plugins.specs import SourceSpec
from polydiff.recipe.build import build
from polydiff.recipe.component import Component
from polydiff.testing.sharded import gradients, sharded_gradients
from polydiff.testing.small_run import Trained, build_parts, raw_conditions, shaken, train_briefly
from polydiff.training.assemble import Parts

_BATCH = 4
_STEPS = 4
_PNG = b"\x89PNG\r\n\x1a\n"
_DISCOVER = """
import sys
from polydiff.plugins.host import host
host().modality(sys.argv[1])
sys.exit("discovery imported torch" if "torch" in sys.modules else 0)
"""


class ModalityConformance:
    """Tests of a modality; a plugin's own tests subclass it: `class TestShapes(ModalityConformance)`.

    Attributes
    ----------
    recipe
        A preset of the plugin, or the path of a recipe.
    overrides
        Make it small: the run should take seconds, and enough steps to learn something.
    round_trip_error
        What the codec may lose: the root mean square of encode(decode(x)) - x, over that of x.
    """

    recipe: ClassVar[str]
    overrides: ClassVar[Sequence[str]] = ()
    round_trip_error: ClassVar[float] = 0.01

    def read(self, path: Path, modality: str) -> Any:
        """Give the content of a generated file that lies alone in its folder.

        The modality's source `folder` reads it; a subclass may know better.
        """
        folder = Component("folder", {"path": str(path.parent)})
        source: Source = build(SourceSpec, folder, modality=modality)
        assert not source.unreadable
        return source[0].content

    @pytest.fixture(scope="class")
    @classmethod
    def parts(cls) -> Parts:
        """Everything that the recipe names."""
        return build_parts(cls.recipe, cls.overrides)

    @pytest.fixture(scope="class")
    @classmethod
    def trained(cls, tmp_path_factory: pytest.TempPathFactory) -> Trained:
        """A short run, from parts of its own."""
        return train_briefly(build_parts(cls.recipe, cls.overrides), tmp_path_factory.mktemp("run"))

    @pytest.fixture
    def model(self, parts: Parts) -> Model:
        """An untrained model with noise on its weights."""
        return shaken(parts.model)

    @pytest.fixture
    def x(self, parts: Parts) -> Tensor:
        """Some encoded examples, (B, C, *)."""
        source, codec = parts.examples.source, parts.model.codec
        return torch.stack([codec.encode(source[index].content) for index in range(_BATCH)])

    def test_discovery_imports_no_torch(self, parts: Parts) -> None:
        """`polydiff --help` stays quick whatever is installed."""
        command = [sys.executable, "-c", _DISCOVER, parts.recipe.modality]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own code
        assert run.returncode == 0, run.stderr

    def test_source_is_repeatable(self, parts: Parts) -> None:
        """An item is the same each time, and what is said of it without reading it is true."""
        source, codec = parts.examples.source, parts.model.codec
        for index in range(_BATCH):
            once, again = source[index], source[index]
            assert torch.equal(codec.encode(once.content), codec.encode(again.content))
            assert source.name(index) == once.name == again.name
            assert source.label(index) == once.label == again.label
            assert once.label is None or once.label in source.classes

    def test_codec_encodes_to_its_shape(self, parts: Parts, x: Tensor) -> None:
        """Encoded examples are finite float32 of the codec's shape, of about unit scale."""
        codec = parts.model.codec
        assert x.dtype == torch.float32
        assert x.shape[1:] == codec.shape
        assert codec.channels == codec.shape[0]
        assert x.isfinite().all()
        assert 0.05 < x.square().mean().sqrt() < 20

    def test_codec_round_trip(self, parts: Parts, x: Tensor) -> None:
        """Decoding loses no more than the plugin says."""
        codec = parts.model.codec
        contents = codec.decode(x)
        assert len(contents) == len(x)
        again = torch.stack([codec.encode(content) for content in contents])
        error = (again - x).square().mean().sqrt() / x.square().mean().sqrt()
        assert error <= self.round_trip_error

    def test_backbone_keeps_shapes(self, model: Model, x: Tensor) -> None:
        """The network takes the codec's shape and gives it back; it refuses other channels."""
        backbone = cast(Backbone, model.denoiser.backbone)
        backbone.check_shape(model.codec.shape)
        with torch.no_grad():
            assert backbone(x, torch.zeros(len(x))).shape == x.shape
        channels, *sizes = model.codec.shape
        with pytest.raises(UsageError):
            backbone.check_shape((channels + 1, *sizes))

    def test_sharded_network_is_the_same(self, parts: Parts, model: Model, x: Tensor) -> None:
        """Output and gradients stay when the network's blocks are gathered one by one, as `--strategy fsdp` does."""
        values = raw_conditions(parts, len(x))
        whole, sharded = gradients(model, x, values), sharded_gradients(model, x, values)
        assert whole.keys() == sharded.keys()
        for name, expected in whole.items():
            torch.testing.assert_close(sharded[name], expected, atol=1e-5, rtol=1e-4)

    def test_dropped_condition_is_no_condition(self, parts: Parts, model: Model, x: Tensor) -> None:
        """A condition dropped, not known or not given makes the same output, bit for bit; a given one another."""
        values = raw_conditions(parts, len(x))
        cond = model.condition(values)
        if cond is None:
            pytest.skip("the recipe has no conditions")
        t = torch.full((len(x),), 0.5)
        with torch.no_grad():
            unconditional = model.denoiser(x, t, None)
            dropped = model.denoiser(x, t, cond.keep(torch.zeros(len(x), dtype=torch.bool)))
            unknown = model.denoiser(x, t, model.condition({name: [None] * len(x) for name in values}))
            conditional = model.denoiser(x, t, cond)
        assert torch.equal(dropped, unconditional)
        assert torch.equal(unknown, unconditional)
        assert not torch.allclose(conditional, unconditional)

    def test_samples_do_not_depend_on_the_batch(self, parts: Parts, model: Model) -> None:
        """A sample is the same alone and among others, to the rounding of the kernels."""
        values = raw_conditions(parts, _BATCH)
        together = _sample(model, range(_BATCH), values)
        assert not torch.allclose(together[0], together[1])
        for i in range(_BATCH):
            alone = _sample(model, range(i, i + 1), {name: each[i : i + 1] for name, each in values.items()})
            assert torch.allclose(alone[0], together[i], rtol=1e-4, atol=1e-4 * float(together.std()))

    def test_saved_model_comes_back_equal(self, parts: Parts, model: Model, tmp_path: Path) -> None:
        """Weights, buffers and samples are the same after saving and loading."""
        model.save(tmp_path / "model")
        loaded = polydiff.load(tmp_path / "model")
        expected = model.state_dict()
        assert loaded.state_dict().keys() == expected.keys()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in loaded.state_dict().items())
        values = raw_conditions(parts, _BATCH)
        assert torch.equal(_sample(loaded, range(_BATCH), values), _sample(model, range(_BATCH), values))

    def test_training_lowers_the_validation_loss(self, trained: Trained) -> None:
        """The loss on held-out data falls by more than it is uncertain."""
        assert trained.after.loss + trained.after.ci < trained.before.loss

    def test_generated_files_can_be_read(self, parts: Parts, trained: Trained, tmp_path: Path) -> None:
        """Every kind of file is written, and holds something that the codec takes."""
        modality, codec = host().modality(parts.recipe.modality), parts.model.codec
        conditions = {"label": "all"} if "label" in parts.recipe.conditions else {}
        for kind in modality.files:
            request = Request(count=3, steps=_STEPS, conditions=conditions, file_kind=kind.name)
            records = generate(trained.folder, request, tmp_path / kind.name, accelerator="cpu")
            assert len(records) == request.count
            for record in records:
                written = tmp_path / kind.name / record["file"]
                assert written.suffix == kind.suffix
                alone = tmp_path / kind.name / written.stem / written.name
                alone.parent.mkdir()
                shutil.copy(written, alone)
                assert codec.encode(self.read(alone, modality.name)).isfinite().all()

    def test_previews_and_trajectories_are_pictures(self, parts: Parts, x: Tensor) -> None:
        """What is drawn of samples is a PNG; of a trajectory, files of the endings given."""
        modality, contents = host().modality(parts.recipe.modality), parts.model.codec.decode(x)
        preview = host().load(modality, "preview")(contents, [f"caption {i}" for i in range(len(contents))])
        assert preview.startswith(_PNG)
        files = host().load(modality, "trajectory")(contents)
        assert files
        for ending, drawn in files.items():
            assert drawn
            assert drawn.startswith(_PNG) or not ending.endswith(".png")


def _sample(model: Model, indices: range, conditions: dict[str, list[Any]]) -> Tensor:
    return model.sample(Seeds(0, indices), conditions, steps=_STEPS)

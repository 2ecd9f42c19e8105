"""`polydiff grid`: prompts down, scales across, one noise for all."""

import io

import pytest
import torch
from PIL import Image

from polydiff.drawing import Captions, columns
from polydiff.errors import UsageError
from polydiff.generation.grid import Grid, draw_grid
from polydiff.model.model import Model
from polydiff.recipe.component import Component, ConditionConfig
from polydiff.recipe.schema import ModelConfig, SampleConfig
from polydiff.testing.small_run import shaken


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    backbone = Component("unet2d", {"channels": 8, "multipliers": [1, 1], "blocks": 1, "head_width": 8})
    config = ModelConfig(
        modality="image",
        codec=Component("pixels", {"size": 4, "channels": 1}),
        backbone=backbone,
        conditions={
            "caption": ConditionConfig("text", {"length": 4, "width": 32, "layers": 1}),
            "label": ConditionConfig("class", {"classes": ["0", "1"], "width": 32}),
        },
        sample=SampleConfig(steps=2),
    )
    return shaken(Model.from_config(config))


@pytest.fixture
def drawn(model, monkeypatch):
    """The contents and captions of a sheet, in place of its picture."""

    def draw(**wanted):
        sheets = []
        monkeypatch.setattr(
            "polydiff_image.sheet.contact_sheet", lambda contents, captions: sheets.append((contents, captions)) or b""
        )
        draw_grid(model, Grid(**wanted))
        ((contents, captions),) = sheets
        return [list(content.get_flattened_data()) for content in contents], captions

    return draw


def test_cells_are_what_generate_makes_of_the_same_noise(model, drawn):
    contents, captions = drawn(prompts=["red", "blue"], scales=[1.0, 3.0], samples=2, seed=5, first=7, batch=3)
    assert captions == [f"{prompt} · {w}" for prompt in ("red", "red", "blue", "blue") for w in (1, 3)]
    assert columns(captions) == 2
    for row, (prompt, index) in enumerate((p, i) for p in ("red", "blue") for i in (7, 8)):
        for column, scale in enumerate((1.0, 3.0)):
            (alone,) = model.generate(1, seed=5, first=index, caption=prompt, guidance=scale)
            pairs = zip(contents[2 * row + column], alone.get_flattened_data(), strict=True)
            assert max(abs(a - b) for a, b in pairs) <= 1
    assert contents[0] != contents[4]
    assert contents[0] != contents[1]


def test_what_all_cells_share(model, drawn):
    plain, _ = drawn(prompts=["red"], scales=[1.0, 2.0])
    labelled, _ = drawn(prompts=["red"], scales=[1.0, 2.0], conditions={"label": ["1"]})
    avoiding, _ = drawn(prompts=["red"], scales=[1.0, 2.0], negative="blue")
    assert labelled[0] != plain[0]
    assert avoiding[0] == plain[0]  # at scale 1 nothing leads away
    assert avoiding[1] != plain[1]


def test_columns_that_are_given_are_kept():
    texts = [str(i) for i in range(12)]
    assert columns(texts) == 4
    assert columns(Captions(texts, 3)) == 3


def test_the_command_draws_one_sheet(model, tmp_path, capsys):
    from polydiff.cli.main import main

    model.save(tmp_path / "model")
    out = tmp_path / "sheets" / "grid.png"
    words = ["grid", str(tmp_path / "model"), "--prompts", "red", "--prompts", "blue", "--accelerator", "cpu"]
    assert main([*words, "--guidance", "1,2,4", "--out", str(out)]) == 0
    assert "2 x 3 samples in" in capsys.readouterr().out
    picture = Image.open(io.BytesIO(out.read_bytes()))
    assert picture.width > picture.height
    for more, message in (
        ((), "exists: choose another --out, or --overwrite it"),
        (("--guidance", "1,x", "--overwrite"), "--guidance takes scales with commas"),
    ):
        assert main([*words, *more, "--out", str(out)]) == 2
        assert message in capsys.readouterr().err
    assert main(["grid", str(tmp_path / "model"), "--out", str(tmp_path / "new.png")]) == 2
    assert "a grid needs a prompt" in capsys.readouterr().err


def test_a_grid_has_cells():
    with pytest.raises(UsageError, match="a prompt and a scale"):
        Grid(prompts=["red"], scales=[])

"""What tests of several packages share."""

import importlib
import sys
from pathlib import Path

import hypothesis
import pytest

# How long an example takes says more of a busy machine than of the code.
hypothesis.settings.register_profile("polydiff", deadline=None)
hypothesis.settings.load_profile("polydiff")

TOY = Path(__file__).parent / "toy" / "toy_modality.py"


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Install the plugin of the modality `toy`, for this process and those that it spawns."""
    from polydiff.plugins.host import host

    site = tmp_path / "site"
    record = site / "polydiff_toy-1.0.dist-info"
    record.mkdir(parents=True)
    (site / TOY.name).write_bytes(TOY.read_bytes())
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: polydiff-toy\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[polydiff]\ntoy = toy_modality\n")
    monkeypatch.syspath_prepend(site)
    host.cache_clear()
    importlib.invalidate_caches()
    yield importlib.import_module(TOY.stem)
    host.cache_clear()
    del sys.modules[TOY.stem]


@pytest.fixture
def toy_config(toy):
    """The configuration of an unconditional or, with classes, a conditional toy model."""
    from polydiff.recipe.component import Component, ConditionConfig
    from polydiff.recipe.schema import ModelConfig, SampleConfig

    def config(*classes, **changes):
        conditions = {"label": ConditionConfig("class", {"classes": list(classes), "width": 8})} if classes else {}
        values = {
            "modality": "toy",
            "codec": Component("squares"),
            "backbone": Component("toy-net"),
            "conditions": conditions,
            "sample": SampleConfig(steps=4, guidance=[Component("cfg", {"scale": 2.0})] if classes else []),
        }
        return ModelConfig(**{**values, **changes})

    return config


@pytest.fixture
def toy_model(toy_config):
    """A toy model with random weights, ready to generate; with classes, a conditional one."""
    import torch

    from polydiff.model import Model

    def model(*classes, **changes):
        torch.manual_seed(0)
        return Model.from_config(toy_config(*classes, **changes)).eval()

    return model

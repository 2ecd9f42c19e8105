"""A recipe on disk, for the tests of everything that reads one."""

import pytest

RECIPE = """\
modality: toy
codec: squares
backbone:
  name: toy-net
  width: 8
conditions:
  label: class
data:
  source: {name: grid, path: pictures}
  augment: [flip, {name: crop, p: 0.5}]
train:
  steps: 100
  batch: 16
"""


@pytest.fixture
def recipe_file(tmp_path, monkeypatch):
    """Give a function that writes `my.yaml`, with some lines replaced, into the current directory."""
    monkeypatch.chdir(tmp_path)

    def write(text=RECIPE, **replaced):
        for old, new in replaced.items():
            text = text.replace(f"{old}:", new)
        (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
        return "my.yaml"

    return write

"""What launching refuses."""

import pytest

from polydiff.errors import UsageError
from polydiff.training import strategies
from polydiff.training.processes import launch


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"strategy": "fdsp"}, "'fdsp'.*did you mean 'fsdp'"),
        ({"strategy": "fsdp", "precision": "16-mixed"}, "16-mixed needs a GPU"),
    ],
)
def test_what_cannot_be_is_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        launch(**{"accelerator": "cpu", "precision": "32-true", **asked})


def test_sharding_has_no_gradient_scaler(monkeypatch):
    monkeypatch.setattr(strategies, "device_type", lambda _: "cuda")
    monkeypatch.setattr("torch.accelerator.device_count", lambda: 1)
    with pytest.raises(UsageError, match=r"fsdp has no gradient scaler.*bf16-mixed"):
        launch(strategy="fsdp", precision="16-mixed")

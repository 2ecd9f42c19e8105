"""From a recipe to the parts of a run."""

import pytest

from polydiff.errors import ModelError, RecipeError


def test_a_codec_is_fitted_to_what_is_trained_on_in_random_order(parts_of, toy, monkeypatch):
    seen = []
    monkeypatch.setattr(toy.Squares, "fit", lambda self, contents: seen.append([float(c.mean()) for c in contents]))
    parts = parts_of("data.source.classes=5", "data.source.broken=[3]")
    held = {int(i) for i in parts.held_out.indices}
    source = parts.examples.source
    expected = {i: float(source[i].content.mean()) for i in range(len(source)) if i not in held | {3}}
    (means,) = seen
    assert sorted(means) == sorted(expected.values())
    assert means != list(expected.values())
    parts_of("data.source.classes=5", "data.source.broken=[3]")
    assert seen[1] == means


@pytest.mark.parametrize(
    ("guidance", "error", "message"),
    [
        ("{name: perturbed-attention, scale: 2}", RecipeError, r"sample.guidance.0: .*network with self-attention"),
        ("{name: autoguidance, weaker: nowhere, scale: 2}", ModelError, "nowhere: no such model folder"),
    ],
)
def test_guidance_that_previews_could_not_use_is_refused_at_once(parts_of, guidance, error, message):
    with pytest.raises(error, match=message):
        parts_of(f"sample.guidance=[{guidance}]")


def test_positions_in_their_places_are_not_exchangeable(parts_of):
    with pytest.raises(RecipeError, match=r"codec: objective.exchangeable is for data .* those of 'squares' are not"):
        parts_of("objective.exchangeable=true")

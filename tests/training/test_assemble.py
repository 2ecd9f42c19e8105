"""From a recipe to the parts of a run."""


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

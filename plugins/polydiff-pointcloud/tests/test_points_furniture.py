"""Parametric furniture: closed solids that stand on the floor and are what their captions and parameters say."""

import re

import numpy as np
import pytest
import trimesh
from polydiff_pointcloud.furniture import Furniture
from polydiff_pointcloud.shapes import KINDS, MAKERS

from polydiff.data.source import Source
from polydiff.errors import UsageError

NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


@pytest.fixture(scope="module")
def pieces():
    return {kind: [MAKERS[kind](np.random.default_rng((7, index))) for index in range(150)] for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_closed_and_faces_outward(pieces, kind):
    for piece in pieces[kind][:50]:
        for solid in piece.solids:
            mesh = trimesh.Trimesh(solid.vertices, solid.faces, process=False)
            assert mesh.is_watertight
            assert mesh.volume > 0


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_stand_on_the_floor_and_are_as_high_as_they_say(pieces, kind):
    for piece in pieces[kind]:
        low, high = piece.mesh().bounds
        assert low[1] == pytest.approx(0, abs=1e-9)
        assert high[1] == pytest.approx(piece.attributes["height"], abs=1e-4)


def test_tops_and_shelves_are_as_wide_and_deep_as_they_say(pieces):
    for kind in ("table", "stool", "chair"):
        for piece in pieces[kind]:
            extents = np.ptp(piece.solids[0].vertices, axis=0)
            assert extents == pytest.approx([piece.attributes[key] for key in ("width", "thickness", "depth")])
    for piece in pieces["shelf"]:
        extents = np.ptp(piece.mesh().vertices, axis=0)
        assert extents == pytest.approx([piece.attributes[key] for key in ("width", "height", "depth")])


@pytest.mark.parametrize("kind", ["table", "stool", "chair"])
def test_as_many_feet_are_on_the_floor_as_the_piece_has_legs(pieces, kind):
    for piece in pieces[kind]:
        feet = sum(solid.vertices[:, 1].min() < 1e-9 for solid in piece.solids)
        if piece.attributes["stand"] == "legs":
            assert feet == piece.attributes["legs"] in {3, 4}
            word = re.search(r"(three|four) (splayed )?legs", piece.caption)
            assert NUMBERS[word[1]] == feet
            assert (word[2] is not None) == (piece.attributes["splay"] > 1) or kind == "chair"
        else:
            assert piece.attributes["legs"] == 0
            assert "legs" not in piece.caption


def test_shelves_have_as_many_boards_as_they_say(pieces):
    for piece in pieces["shelf"]:
        thickness, boards = piece.attributes["thickness"], piece.attributes["boards"]
        heights = np.array([np.ptp(solid.vertices[:, 1]) for solid in piece.solids])
        assert (np.abs(heights - thickness) < 1e-9).sum() == boards
        assert NUMBERS[re.search(r"(\w+) boards", piece.caption)[1]] == boards
        assert ("back panel" in piece.caption) == (piece.attributes["back"] == "panel")
        dividers = piece.attributes["dividers"]
        parts = boards + 2 + (boards - 1) * dividers + (piece.attributes["back"] == "panel")
        assert piece.attributes["stand"] == "posts" or len(piece.solids) == parts


@pytest.mark.parametrize("kind", KINDS)
def test_parts_touch_and_do_not_reach_into_each_other(pieces, kind):
    """Few points of any part lie more than 2 mm inside another, where nobody would see them."""
    steps = 0.002 * np.concatenate([np.eye(3), -np.eye(3)])
    for piece in pieces[kind][:6]:
        hidden = total = 0
        for place, solid in enumerate(piece.solids):
            points = trimesh.Trimesh(solid.vertices, solid.faces, process=False).sample(40, seed=0)
            total += len(points)
            inside = np.zeros(len(points), bool)
            for other in (*piece.solids[:place], *piece.solids[place + 1 :]):
                inside |= np.all([within(other, points + step) for step in steps], axis=0)
            hidden += inside.sum()
        assert hidden / total < 0.03


def within(solid, points):
    """Tell which points lie inside a solid, by its winding number (Van Oosterom and Strackee 1983)."""
    corners = solid.vertices[solid.faces] - points[:, None, None]
    a, b, c = (corners[:, :, corner] for corner in range(3))
    la, lb, lc = (np.linalg.norm(each, axis=2) for each in (a, b, c))
    numerator = np.einsum("pfc,pfc->pf", a, np.cross(b, c))
    dots = [np.einsum("pfc,pfc->pf", *pair) for pair in ((a, b), (b, c), (c, a))]
    angle = 2 * np.arctan2(numerator, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb)
    return angle.sum(axis=1) / (4 * np.pi) > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_are_many_different_ones(pieces, kind):
    captions = {piece.caption for piece in pieces[kind]}
    assert len(captions) > 12
    assert len({tuple(piece.attributes.values()) for piece in pieces[kind]}) == len(pieces[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_captions_are_sentences_about_the_kind(pieces, kind):
    for piece in pieces[kind]:
        article, first = piece.caption.split()[:2]
        assert article == ("an" if first[0] in "aeiou" else "a")
        assert kind in piece.caption


def test_a_source_of_equally_many_kinds():
    source = Furniture(count=20, points=64)
    assert isinstance(source, Source)
    assert (len(source), list(source.classes), list(source.unreadable)) == (20, list(KINDS), [])
    labels = [source[index].label for index in range(20)]
    assert labels == [source.label(index) for index in range(20)] == [*KINDS] * 4
    example = source[4]
    assert example.name == source.name(4) == "piece 4"
    assert example.content.points.shape == (64, 3)
    assert example.content.points.dtype == np.float32
    assert example.content.normals is example.content.colors is None
    assert example.get("height") == example.attributes["height"]


def test_a_piece_is_a_function_of_the_seed_and_its_place():
    one, other = Furniture(count=10, points=50), Furniture(count=1000, points=50)
    assert np.array_equal(one[7].content.points, other[7].content.points)
    assert one[7].caption == other[7].caption
    assert not np.array_equal(one[7].content.points, Furniture(count=10, points=50, seed=1)[7].content.points)
    assert not np.array_equal(one[2].content.points, one[7].content.points)


def test_pieces_are_built_once_while_there_is_room(monkeypatch):
    from polydiff_pointcloud import furniture

    monkeypatch.setattr(furniture, "KEPT", 3 * 50 * 2)
    source = Furniture(count=5, points=50)
    once = [source[index] for index in range(5)]
    again = [source[index] for index in range(5)]
    assert [first is second for first, second in zip(once, again, strict=True)] == [True, True, False, False, False]
    assert np.array_equal(once[4].content.points, again[4].content.points)


def test_normals_and_colours_are_those_of_the_parts():
    cloud = Furniture(count=5, points=3000, normals=True, colors=True, normalize="none", kinds=("table",))[0].content
    assert np.abs(np.linalg.norm(cloud.normals, axis=1) - 1).max() < 1e-6
    top = cloud.points[:, 1] > cloud.points[:, 1].max() - 1e-5
    assert top.mean() > 0.2
    assert (cloud.normals[top & (np.abs(cloud.normals[:, 1]) > 0.5)] == (0, 1, 0)).all()
    assert len(np.unique(cloud.colors[top], axis=0)) == 1
    assert len(np.unique(cloud.colors, axis=0)) <= 2


@pytest.mark.parametrize(("how", "reach"), [("unit-sphere", lambda p: np.linalg.norm(p, axis=1).max()),
                                            ("unit-box", lambda p: np.abs(p).max())])  # fmt: skip
def test_pieces_are_normalised(how, reach):
    source = Furniture(count=10, points=4000, normalize=how)
    for index in range(10):
        points = source[index].content.points
        assert 0.9 < reach(points) <= 1 + 1e-6
        assert np.abs((points.min(axis=0) + points.max(axis=0)) / 2).max() < 0.05


@pytest.mark.parametrize(("options", "message"), [
    ({"count": 0}, "count is 0; a source needs at least 1 piece"),
    ({"points": 0}, "points is 0; a piece needs at least 1 point"),
    ({"seed": -1}, "seed is -1; it must be at least 0"),
    ({"kinds": ()}, "kinds are none; name at least one, and each once"),
    ({"kinds": ("lamp", "lamp")}, "kinds are lamp, lamp; name at least one, and each once"),
])  # fmt: skip
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        Furniture(**options)

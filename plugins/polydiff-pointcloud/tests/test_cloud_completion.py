"""Clouds of which part is given, by the commands and by tokens."""

import json

import numpy as np
import pytest
import torch
from polydiff_pointcloud.cloud import PointCloud
from polydiff_pointcloud.cloud_conditioner import Cloud
from polydiff_pointcloud.furniture import Furniture
from polydiff_pointcloud.points import Points
from polydiff_pointcloud.reading import read_cloud
from polydiff_pointcloud.reading.options import Options
from polydiff_pointcloud.writers import ply

from polydiff.cli.main import main
from polydiff.errors import DataError, UsageError
from polydiff.testing.small_run import build_parts, shaken

SMALL = (
    "data.source.count=20",
    "data.source.points=128",
    "data.augment=[{name: subsample, points: 64}]",
    "codec.points=64",
    "backbone={name: latent-set, width: 32, latents: 8, latent_width: 32, layers: 1}",
    "sample.steps=3",
)
AS_IT_IS = Options(normalize="none")


@pytest.fixture(scope="module")
def parts():
    tokens = (
        "conditions={label: {name: class, dropout: 0.1}, content: {name: cloud, points: 16, width: 24, dropout: 0.2}}"
    )
    return build_parts("furniture", (*SMALL, tokens))


@pytest.fixture(scope="module")
def models(tmp_path_factory, parts):
    """Two untrained models: one knows labels alone, the other has tokens as well."""
    folder = tmp_path_factory.mktemp("models")
    for name, made in (("plain", build_parts("furniture", SMALL)), ("tokens", parts)):
        shaken(made.model).save(folder / name)
    return folder


@pytest.fixture
def half(tmp_path):
    """The file of one half of a table, and its points."""
    cloud = Furniture(count=1, kinds=("table",), points=100)[0].content
    part = cloud[cloud.points[:, 0] < 0]
    path = tmp_path / "half.ply"
    path.write_bytes(ply(part, {}))
    return path, part.points


def test_given_points_come_out_where_they_were(models, half, tmp_path, capsys):
    path, points = half
    out = tmp_path / "out"
    code = main(["complete", str(models / "plain"), str(path), "-n", "3", "--points", "128", "--out", str(out)])
    assert code == 0
    assert f"with {len(points)} of 128 points from {path}" in capsys.readouterr().out
    made = [read_cloud(out / f"0000{i}.ply", AS_IT_IS).points for i in range(3)]
    for cloud in made:
        assert len(cloud) == 128
        np.testing.assert_allclose(cloud[: len(points)], points, atol=1e-5)
    assert np.abs(made[0][len(points) :] - made[1][len(points) :]).max() > 0.01
    record = json.loads((out / "samples.jsonl").read_text().splitlines()[0])
    assert record["given"] == {"file": str(path), "points": len(points)}
    assert (out / "sheet.png").is_file()


def test_a_seed_gives_the_same_clouds_again(models, half, tmp_path):
    arguments = ["complete", str(models / "plain"), str(half[0]), "-n", "2", "--points", "100", "--seed", "5", "--out"]
    for name in ("one", "two"):
        assert main([*arguments, str(tmp_path / name)]) == 0
    assert (tmp_path / "one" / "00001.ply").read_bytes() == (tmp_path / "two" / "00001.ply").read_bytes()


def test_upsampling_tells_tokens_where_the_model_has_them(models, half, tmp_path, capsys):
    for name in ("plain", "tokens"):
        out = tmp_path / name
        arguments = ["upsample", str(models / name), str(half[0]), "--points", "150", "--label", "table", "--json"]
        assert main([*arguments, "--out", str(out)]) == 0
        (record,) = json.loads(capsys.readouterr().out)["samples"]
        assert record["conditions"] == {"label": "table"} | ({"content": str(half[0])} if name == "tokens" else {})
        assert len(read_cloud(out / "00000.ply", AS_IT_IS)) == 150


def test_half_of_the_points_are_given_at_most_unless_more_are_kept(models, half, tmp_path, capsys):
    arguments = ["complete", str(models / "plain"), str(half[0]), "-n", "1", "--points", "64", "--json", "--out"]
    assert main([*arguments, str(tmp_path / "default")]) == 0
    assert json.loads(capsys.readouterr().out)["given"] == 32
    assert main([*arguments, str(tmp_path / "kept"), "--keep", "40"]) == 0
    assert json.loads(capsys.readouterr().out)["given"] == 40


@pytest.mark.parametrize("command", ["complete", "upsample"])
def test_what_cannot_be_asked_is_refused(models, half, tmp_path, capsys, command):
    path, out = str(half[0]), str(tmp_path / "out")
    plain = str(models / "plain")
    for arguments, code, message in (
        ([plain, path, "--points", "64", "--keep", "64"], 2, "64 given points of 64 leave nothing"),
        ([plain, str(tmp_path / "none.ply")], 3, "none.ply: there is no such file"),
        ([plain, path, "--label", "tabel"], 2, "did you mean 'table'"),
        ([plain, path, "--format", "stl"], 2, "did you mean 'mesh-stl'"),
        ([str(tmp_path), path], 5, str(tmp_path)),
    ):
        assert main([command, *arguments, "--out", out]) == code
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
    broken = tmp_path / "broken.ply"
    broken.write_bytes(b"no ply")
    assert main([command, plain, str(broken), "--out", out]) == 3
    assert str(broken) in capsys.readouterr().err


def test_a_part_is_encoded_with_what_it_has():
    codec = Points(points=4, normals=True, colors=True)
    codec.center.fill_(1.0)
    codec.scale.fill_(2.0)
    part = PointCloud(np.float32([[3, 1, 1], [1, 1, 5]]), colors=np.float32([[1, 0.5, 0], [1, 1, 1]]))
    x, known = codec.encode_part(part, 5)
    assert x.shape == known.shape == (9, 5)
    assert x[:3, :2].T.tolist() == [[1, 0, 0], [0, 0, 2]]
    assert x[6:, 0].tolist() == [1, 0, -1]
    assert known[:, :2].all(1).tolist() == [True] * 3 + [False] * 3 + [True] * 3
    assert not known[:, 2:].any()
    assert torch.equal(codec.encode_part(part, 5)[0][:3, :2], codec.encode_part(part[:2], 9)[0][:3, :2])
    with pytest.raises(DataError, match="not finite"):
        codec.encode_part(PointCloud(np.float32([[np.nan, 0, 0]])), 5)


def test_tokens_are_of_the_points_that_are_encoded(parts):
    """The augmented content, not the example's own."""
    item = parts.examples[0]
    tokens, encoded = np.array(item.conditions["content"], np.float32), parts.model.codec.decode(item.x[None])[0].points
    assert len(tokens) == 16
    nearest = np.linalg.norm(tokens[:, None] - encoded, axis=2).min(1)
    assert nearest.max() < 1e-5


def test_tokens_do_not_depend_on_the_order_of_points_and_mask_what_is_not_there():
    torch.manual_seed(0)
    conditioner = Cloud(points=6, width=8)
    few, many = [[0.0, 1.0, 2.0]], [[float(i), 0.0, 1.0] for i in range(6)]
    condition = conditioner([few, many, None, many[::-1]])
    assert condition.mask.sum(1).tolist() == [1, 6, 0, 6]
    assert not condition.tokens[~condition.mask].any()
    torch.testing.assert_close(condition.tokens[1].flip(0), condition.tokens[3])
    torch.testing.assert_close(condition.tokens[0, 0], conditioner([few]).tokens[0, 0])
    assert conditioner([None, None]).mask.any().item() is False


def test_the_conditioner_measures_the_data_and_reads_files(parts, half):
    conditioner = parts.model.conditioners["content"]
    options = parts.recipe.conditions["content"].options
    every = np.concatenate([Furniture(count=20, points=128)[i].content.points for i in range(20)])
    np.testing.assert_allclose(options["center"], every.mean(0), atol=0.2)
    assert options["scale"] == pytest.approx(every.std(0).max(), rel=0.2)
    read = conditioner.parse(str(half[0]))
    assert conditioner.describe(read) == "16 points"
    with pytest.raises(UsageError, match=r"none\.ply"):
        conditioner.parse("none.ply")
    with pytest.raises(DataError, match="a point cloud or its file, not int"):
        conditioner.prepare(3)
    assert conditioner.prepare(None) is None

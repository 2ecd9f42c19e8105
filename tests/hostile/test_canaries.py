"""A canary in every kind of file that is read: none is executed, each is refused in one line and by its exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile

import payloads
import pytest
from payloads import MARK, flac, font, gltf, model_3mf, ply, png, tar, tensors, wav, zipped

CODE = f"__import__('os').mkdir('{MARK}')"
OUTSIDE = '{"file_name": "../secret.png", "label": "a"}\n'
FACES = "element face 1\nproperty list uchar int vertex_indices\n"

MODEL = "modality: image\ncodec: {name: pixels, size: 8, channels: 1}\nbackbone: {name: unet2d, channels: 8}\n"
RECIPE = f"{MODEL}data: {{source: digits}}\ntrain: {{steps: 1, batch: 1}}\n"

RECIPES = [  # what stands in my.yaml; what is said of it
    (payloads.pickled(), "not a text in UTF-8"),
    (f"modality: !!python/object/apply:os.mkdir [{MARK}]", "python/object/apply:os.mkdir) are not taken"),
    (payloads.yaml_bomb(), "anchors and aliases"),
    ("[" * 100_000, "nested deeper than 32 levels"),
    ("a: " + "x" * (1 << 23), "holds more than 4194304 bytes"),
    (RECIPE.replace("pixels", "os:system"), "codec.name: unknown image codec 'os:system'"),
    (RECIPE.replace("unet2d", "polydiff_image.unet2d:UNet2D"), "backbone.name: unknown backbone"),
    (RECIPE.replace("image", "polydiff_image.plugin"), "modality: unknown modality 'polydiff_image.plugin'"),
    (RECIPE.replace("size", "target: os:system, size"), "codec.target: unknown option"),
    (RECIPE.replace("size: 8", f'size: "{CODE}"'), "codec.size: must be"),
    (f'"\\e[2J\\n": 1\n{RECIPE}', r"\x1b[2J\n: unknown key"),
    (f"{RECIPE}sample: {{guidance: [{{name: autoguidance, model: ../secret.bin}}]}}", "sample.guidance.0"),
]  # fmt: skip

SHARDS = [  # an archive; what is said of it
    (tar("../a.png", png()), "has a name that leads out of the archive"),
    (tar("/etc/a.png", png()), "has a name that leads out of the archive"),
    (tar("a.png", kind=tarfile.SYMTYPE, link="/etc/passwd"), "is a link, which is not followed"),
    (tar("a.png", kind=tarfile.LNKTYPE, link="../a.png"), "is a link, which is not followed"),
    (tar("a.png", kind=tarfile.CHRTYPE), "is no regular file"),
    (tar("a.png", kind=tarfile.FIFOTYPE, mode=0o4755), "is no regular file"),
    (tar("a.png", size=1 << 40), "is truncated"),
    (tar("a.png", size=1 << 40, kind=tarfile.XHDTYPE), "a header has more than 16384 bytes"),
    (tar("a.pyd", payloads.pickled(), mode=0o4755), "a: has no file that ends in"),
    (tar("a.png", payloads.pickled(), mode=0o4755), "a.png: is no picture in a format that is read"),
    (b"\x1f\x8b" + bytes(600), "is compressed"),
    (payloads.pickled(), "is no tar archive, or damaged"),
]  # fmt: skip

FOLDERS = [  # modality, the only file of a folder; what is said of it
    ("image", "a.png", payloads.pickled(), "is no picture in a format that is read"),
    ("image", "a.png", payloads.postscript(), "is no picture in a format that is read"),
    ("image", "a.png", png(2**31 - 1, 2**31 - 1), "has more than 178956970 pixels"),
    ("image", "a.png", png(12_000, 12_000), "more than 100000000; data.source.max_pixels allows more"),
    ("image", "a.tif", payloads.tiff(2**32 - 1, 2**32 - 1), "has more than 178956970 pixels"),
    ("image", "a.png", png(8, 8, payloads.text_bomb()), "a.png: "),
    ("image", "a.png", png(8, 8, pixels=payloads.pickled()), "cannot be decoded"),
    ("image", "metadata.jsonl", OUTSIDE, "metadata.jsonl:1: file_name '../secret.png' leads out of the folder"),
    ("image", "metadata.csv", "file_name\n/etc/passwd\n", "metadata.csv:2: file_name '/etc/passwd' leads out"),
    ("image", "metadata.jsonl", payloads.pickled(), "metadata.jsonl: is not UTF-8 text"),
    ("image", "metadata.jsonl", "[" * 100_000, "metadata.jsonl:1: not JSON: it is nested too deeply"),
    ("image", "metadata.jsonl", '{"file_name": "\\ud800"}', "half a character"),
    ("audio", "a.wav", payloads.pickled(), "is no sound in a format that is read"),
    ("audio", "a.wav", wav(2_000_000_000), "is truncated: 1999999900 of its 2000000000 bytes of sound are missing"),
    ("audio", "a.wav", wav(100, rate=2**31 - 1), "a.wav: "),
    ("audio", "a.wav", wav(100, channels=65535), "a.wav: "),
    ("audio", "a.flac", flac(2**36 - 1), "a.flac: "),
    ("audio", "a.ogg", b"OggS" + bytes(100), "a.ogg: "),
    ("audio", "a.mp3", payloads.pickled(), "cannot be decoded"),
    ("pointcloud", "a.npy", payloads.array(), "holds values of the type 'object'; numbers are read"),
    ("pointcloud", "a.npy", payloads.array(shape=(10**12, 3)), "data.source.max_points allows more"),
    ("pointcloud", "a.npz", zipped(**{"points.npy": payloads.array()}), "holds values of the type 'object'"),
    ("pointcloud", "a.npz", payloads.checkpoint(), "has no array 'points'"),
    ("pointcloud", "a.xyz", CODE, "is no text of numbers"),
    ("pointcloud", "a.ply", payloads.pickled(), "is no PLY file"),
    ("pointcloud", "a.ply", ply(10**15), "data.source.max_points allows more"),
    ("pointcloud", "a.ply", ply(10**15, FACES), "data.source.max_points allows more"),
    ("pointcloud", "a.ply", ply("-1"), "is empty: it has no vertices"),
    ("pointcloud", "a.off", "OFF\n3 4000000000000 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n", "a.off: "),
    ("pointcloud", "a.stl", bytes(80) + b"\xff" * 4 + bytes(50), "is truncated"),
    ("pointcloud", "a.obj", "mtllib ../secret.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9", "a.obj: "),
    ("pointcloud", "a.obj", payloads.pickled(), "is no OBJ file: it is no text"),
    ("pointcloud", "a.gltf", gltf("../secret.bin"), "names '../secret.bin', which lies outside its folder"),
    ("pointcloud", "a.gltf", gltf("http://127.0.0.1:9/a.bin"), "only files in its folder are read, and nothing is"),
    ("pointcloud", "a.gltf", gltf(image="file:///etc/passwd"), "only files in its folder are read"),
    ("pointcloud", "a.gltf", gltf(count=10**12), "data.source.max_points allows more"),
    ("pointcloud", "a.glb", b"glTF\2\0\0\0\xff\xff\xff\xff\xff\xff\xff\xffJSON", "is truncated"),
    ("pointcloud", "a.3mf", zipped(**{"3D__3dmodel.model": bytes(1 << 26)}), "3D/3dmodel.model would expand"),
    ("pointcloud", "a.3mf", model_3mf("&e9;", payloads.laughs()), "cannot be decoded"),
    ("pointcloud", "a.3mf", model_3mf("&x;", '<!ENTITY x SYSTEM "file:///etc/passwd">'), "a.3mf: "),
    ("pointcloud", "a.3mf", model_3mf("&x;", '<!ENTITY x SYSTEM "http://127.0.0.1:9/">'), "a.3mf: "),
]  # fmt: skip

FONTS = [  # a font; what is said of it
    (payloads.pickled(), "is no font that can be read"),
    (font()[:5000], "is no font that can be read"),
    (font(("head", 18, b"\0\0")), "is no font that can be read"),
    (font(("hhea", 4, b"\0\1\0\0")), "is a broken font: its lines are"),
    (font(("cmap", 0, b"\xff" * 60)), "is no font that can be read"),
    (font(("glyf", 0, b"\xff" * 100_000)), "cannot be drawn"),
]  # fmt: skip

WEIGHTS = [  # weights.safetensors, with a manifest that agrees
    payloads.pickled(),
    payloads.checkpoint(),
    b"",
    tensors({}, 2**63),
    tensors({}, 10**8),
    tensors({"a": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 2**62]}}),
    tensors({"a": {"dtype": "os.mkdir", "shape": [1], "data_offsets": [0, 4]}}),
]  # fmt: skip

CONFIGS = [  # model.yaml, with a manifest that agrees; what is said of it
    (payloads.pickled(), "not a text in UTF-8"),
    (f"format: !!python/object/apply:os.mkdir [{MARK}]", "python/object/apply:os.mkdir) are not taken"),
    (f"format: 1\n{MODEL.replace('pixels', 'os:system')}", "unknown image codec 'os:system'"),
    (f"format: 1\n{MODEL.replace('unet2d', 'os:system')}", "unknown backbone 'os:system'"),
    (f"format: 1\n{MODEL.replace('channels: 8', 'channels: 2048')}", "asks for a larger network than its weights"),
    (f"format: 1\n{MODEL.replace('channels: 8', 'channels: 999999992')}", "asks for a network that cannot be made"),
]  # fmt: skip

MANIFESTS = [  # manifest.json; what is said of it
    (payloads.pickled(), "is damaged"),
    ("[" * 100_000, "is damaged"),
    (" " * (1 << 25), "is damaged"),
    ({"../secret": "0"}, "names '../secret', which leads outside the folder"),
    ({"/etc/passwd": "0"}, "names '/etc/passwd', which leads outside the folder"),
    ({"a\0": "0"}, "which leads outside the folder"),
    ({"x" * 5000: "0"}, "xxx... is missing"),
    ({"link": "0"}, "names 'link', which leads outside the folder"),
]  # fmt: skip


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def numbered(rows):
    return [pytest.param(*(row if isinstance(row, tuple) else (row,)), id=str(n)) for n, row in enumerate(rows)]


@pytest.fixture(autouse=True)
def secret(tmp_path):
    """Put what must not be read beside the folders of the strangers."""
    put(tmp_path / "secret.png", png())
    put(tmp_path / "secret.mtl", "newmtl a")
    return put(tmp_path / "secret.bin", bytes(36))


@pytest.mark.parametrize(("content", "words"), numbered(RECIPES))
def test_recipes(refused, tmp_path, content, words):
    code, line = refused("train", put(tmp_path / "my.yaml", content), "--dry-run")
    assert code == (4 if words.startswith("modality") else 3)  # a plugin is missing, or the recipe is at fault
    assert "my.yaml" in line
    assert words in line


@pytest.mark.parametrize(("modality", "name", "content", "words"), numbered(FOLDERS))
def test_files_of_data(refused, tmp_path, modality, name, content, words):
    put(tmp_path / "data" / name, content)
    if name.startswith("metadata"):
        put(tmp_path / "data" / "good.png", png())
    code, line = refused("data", "check", tmp_path / "data", "--modality", modality)
    assert code == 3
    assert name in line
    assert words in line


@pytest.mark.parametrize(("content", "words"), numbered(SHARDS))
def test_archives(refused, tmp_path, content, words):
    code, line = refused("data", "check", put(tmp_path / "a.tar", content), "--modality", "image")
    assert code == 3
    assert words in line


def test_tables(refused, tmp_path):
    pytest.importorskip("datasets")
    code, line = refused("data", "check", put(tmp_path / "a.parquet", payloads.pickled()), "--modality", "image")
    assert code == 3
    assert "a.parquet" in line


@pytest.mark.parametrize("place", ["reference://a", "github://a", "ssh://a/b.tar", "nosuch://a.tar", "javascript://a"])
def test_places_of_archives(refused, place):
    code, line = refused("data", "check", place, "--modality", "image")
    assert code == 3
    assert place in line


@pytest.mark.parametrize(("content", "words"), numbered(FONTS))
def test_fonts(refused, tmp_path, content, words):
    code, line = refused("data", "check", "glyphs", f"data.source.fonts=[{put(tmp_path / 'a.ttf', content)}]")
    assert code == 3
    assert "a.ttf" in line
    assert words in line


def sign(model):
    """Make a manifest agree with the files that it names, as anybody can."""
    from polydiff.files import sha256

    names = ("model.yaml", "weights.safetensors")
    manifest = {"format": 1, "sha256": {name: sha256(model / name) for name in names}}
    put(model / "manifest.json", json.dumps(manifest))
    return manifest


@pytest.mark.parametrize("content", numbered(WEIGHTS))
def test_weights(refused, model, content):
    put(model / "weights.safetensors", content)
    sign(model)
    code, line = refused("generate", model, "--out", "out")
    assert code == 5
    assert "weights.safetensors" in line


@pytest.mark.parametrize(("content", "words"), numbered(CONFIGS))
def test_configurations(refused, model, content, words):
    put(model / "model.yaml", content)
    sign(model)
    code, line = refused("generate", model, "--out", "out")
    assert code == 5
    assert words in line


@pytest.mark.parametrize(("content", "words"), numbered(MANIFESTS))
def test_manifests(refused, model, secret, content, words):
    (model / "link").symlink_to(secret)
    manifest = sign(model)
    if isinstance(content, dict):
        content = json.dumps({**manifest, "sha256": {**manifest["sha256"], **content}})
    put(model / "manifest.json", content)
    code, line = refused("generate", model, "--out", "out")
    assert code == 5
    assert words in line


@pytest.mark.parametrize(
    "content", [payloads.pickled(), "[" * 100_000, '{"format": 1, "grids": [{"name": "os:system"}]}']
)
def test_tuned_grids(refused, model, content):
    put(model / "grids.json", content)
    code, line = refused("generate", model, "--grid", "tuned", "--out", "out")
    assert code == 5
    assert "grids.json is damaged" in line


@pytest.mark.parametrize(
    "content", [payloads.pickled(), "[" * 100_000, '{"index": 0, "file": "../a.png", "x": "\\ud800"}']
)
def test_records_of_samples(refused, model, tmp_path, content):
    put(tmp_path / "out" / "samples.jsonl", content)
    code, line = refused("generate", model, "--out", tmp_path / "out")
    assert code == 2
    assert "samples.jsonl:1 is not a line that a generation wrote" in line


def test_every_file_of_a_checkpoint(refused, run, tmp_path):
    from polydiff.files import sha256

    names = [path.name for path in (run / "checkpoints" / "step-00000001").iterdir()]
    assert len(names) >= 4
    for name in names:
        copy = shutil.copytree(run, tmp_path / f"run of {name}")
        (checkpoint,) = (copy / "checkpoints").iterdir()
        put(checkpoint / name, payloads.pickled())
        if name != "manifest.json":
            digests = {other: sha256(checkpoint / other) for other in names if other != "manifest.json"}
            put(checkpoint / "manifest.json", json.dumps(digests))
        code, line = refused("train", copy, "--resume", "train.steps=2", "--accelerator=cpu")
        assert (name, code) in {(name, 5), ("recipe.yaml", 3)}
        assert name in line


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [("recipe.yaml", 3, "not a text in UTF-8"), ("environment.json", 1, "not JSON; remove it to go on")],
)
def test_files_of_a_run(refused, run, tmp_path, name, code, words):
    copy = shutil.copytree(run, tmp_path / "copy")
    put(copy / name, payloads.pickled())
    assert refused("train", copy, "--resume", "train.steps=2", "--accelerator=cpu")[0] == code


def test_as_a_process(tmp_path, model):
    put(model / "weights.safetensors", payloads.checkpoint())
    sign(model)
    program = "import sys; from polydiff.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "generate", str(model), "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (5, "", 1)
    assert not (tmp_path / MARK).exists()


def test_the_canary_sings(tmp_path, monkeypatch):
    import pickle  # noqa: TID251

    monkeypatch.chdir(tmp_path)
    pickle.loads(payloads.pickled())
    assert (tmp_path / MARK).exists()

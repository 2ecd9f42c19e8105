"""`polydiff verify` finds the faults of a plugin that is installed like any other, and none in what is sound."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

from polydiff.cli.main import main
from polydiff.plugins.host import host

PLANTED = Path(__file__).parent / "planted.py"


@pytest.fixture(scope="module", autouse=True)
def planted(tmp_path_factory):
    """Install the plugin of the faults."""
    site = tmp_path_factory.mktemp("site")
    record = site / "polydiff_planted-1.0.dist-info"
    record.mkdir()
    (site / PLANTED.name).write_bytes(PLANTED.read_bytes())
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: polydiff-planted\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[polydiff]\nplanted = planted\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        host.cache_clear()
        importlib.invalidate_caches()
        yield
    host.cache_clear()
    sys.modules.pop(PLANTED.stem, None)


@pytest.fixture
def verify(capsys):
    def run(*args):
        code = main(["verify", *args])
        return code, capsys.readouterr()

    return run


FAULTS = [
    ("wrong-factor", r"order on cosine: order \d\.\d\d measured, 2 claimed"),
    ("stride", r"states on linear: a step ends at t = \S+ with \S+ of the (data|noise) in it, not"),
    ("stops-early", r"states on flow: a step ends at t = 0 with \S+ of the (data|noise) in it, not"),
    ("two-shifts", r"states on flow: the denoiser is asked at t = \S+ about a state with \S+ of the"),
    ("global-noise", r"seeds: two walks with the same seeds differ by \S+, at most 0 allowed"),
    ("too-proud", r"order on edm: order (0\.9|1\.0)\d measured, 2 claimed"),
    ("loud", r"moments on flow: order -?0\.\d\d measured, 1 claimed"),
    ("no-alpha", r"states on cosine: a step ends at t = \S+ with \S+ of the data in it, not"),
    ("secretly-noisy", r"stochastic: noise is drawn \d times in 7 steps"),
    ("falsely-noisy", r"stochastic: noise is drawn 0 times in 7 steps"),
    ("batch-threshold", r"batches: samples of batches of another size differ by \S+, at most 1e-09 allowed"),
    ("asks-twice", r"evaluations: 2 in a step, 1 claimed"),
    ("remembers", r"seeds: (two walks with the same seeds differ by|raises RuntimeError)"),
    ("divides-by-alpha", r"finite on cosine: 1 steps on the grid 't' raise ZeroDivisionError"),
    ("single", r"types: float32 \(12, 2, 5\) becomes float64"),
    ("needy", r"built: raises UsageError: sampler 'needy' needs the option 'tolerance'"),
    ("lost", r"built: raises PluginError: sampler 'lost' of .* cannot be imported"),
    ("no-inverse", r"inverse: at t = \S+, time is off by 0\.0001, at most 1e-09 allowed"),
    ("wavy", r"monotonic: log-SNR does not fall from t = \S+ to \S+"),
    ("mislabelled", r"consistent: log\(alpha² / sigma²\) differs from log-SNR by \S+, at most"),
    ("narrow", r"types: float64 \(\) becomes float32 \(\) in log_snr"),
    ("off-at-zero", r"neutral on cosine: the estimate differs from the conditional one by \S+, at most 0 allowed"),
    ("half-bayes", r"classifier on flow: with the exact classifier the estimate differs from the conditional one by"),
]


@pytest.mark.parametrize(("name", "message"), FAULTS, ids=[name for name, _ in FAULTS])
def test_a_fault_is_found_and_said(name, message, verify):
    code, said = verify(name)
    assert code == 1
    lines = [line for line in said.out.splitlines() if line.startswith("FAILS")]
    where = rf"'{name}' of plugin 'planted' \(polydiff-planted 1.0\): "
    assert any(re.search(where + message, line) for line in lines), said.out
    assert said.out.endswith("0 of 1 keep what they claim\n")


def test_what_is_sound_passes(verify):
    code, said = verify("sound", "sound-large")
    assert (code, said.err) == (0, "")
    assert said.out.endswith("2 of 2 keep what they claim\n")


def test_faults_of_one_kind_do_not_fail_other_claims(verify):
    _, said = verify("too-proud", "--json")
    (verdict,) = json.loads(said.out)["verdicts"]
    assert {check["claim"] for check in verdict["checks"] if not check["holds"]} == {"order"}


def test_json_has_every_number(verify):
    code, said = verify("dpm++2m", "flow", "cfg", "--json")
    assert code == 0
    flow, method, guidance = json.loads(said.out)["verdicts"]
    assert [flow["kind"], method["kind"], guidance["kind"]] == ["schedule", "sampler", "guidance"]
    orders = {check["on"]: check["measured"] for check in method["checks"] if check["claim"] == "order"}
    assert orders == {name: pytest.approx(2, abs=0.1) for name in ("linear", "cosine", "edm", "flow")}
    errors = [each["error"] for each in method["errors"] if each["on"] == "flow"]
    assert [each["budget"] for each in method["errors"] if each["on"] == "flow"] == [5, 10, 20, 40]
    assert errors[-1] < errors[-2] < 0.05
    assert all(each["evaluations"] <= each["budget"] for each in method["errors"])


def test_the_table_shows_orders_and_errors(verify):
    _, said = verify("ddim")
    lines = said.out.splitlines()
    assert re.match(
        r"SAMPLER +PLUGIN +ORDER ON LINEAR +ORDER ON COSINE +ORDER ON EDM +ORDER ON FLOW +VERDICT", lines[0]
    )
    assert re.match(r"ddim +polydiff( +0\.9\d| +1\.0\d){4} +holds: order 1$", lines[1])
    assert re.match(r"SAMPLER +SCHEDULE +5 +10 +20 +40$", lines[4])
    assert len(lines) == 5 + 4 + 2


def test_what_cannot_be_measured_is_said_and_not_counted(verify):
    code, said = verify("of-files", "cfg")
    assert code == 0
    assert re.search(r"of-files +planted +not measured: it needs the files", said.out)
    assert said.out.endswith("1 of 1 keep what they claim; 1 not measured\n")
    _, said = verify("of-files", "--json")
    assert json.loads(said.out)["verdicts"][0]["holds"] is None


def test_unknown_names_are_refused_with_the_nearest(verify):
    code, said = verify("heum")
    assert code == 2
    assert "unknown schedule, sampler or guidance 'heum'; did you mean 'heun'?" in said.err

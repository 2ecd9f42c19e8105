import re
import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name, capsys):
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    return capsys.readouterr().out


def test_oracle_shows_the_orders(capsys):
    errors = [float(number) for number in re.findall(r"error (\S+)", run("oracle.py", capsys))]
    assert 1.7 < errors[2] / errors[3] < 2.3
    assert 3.4 < errors[6] / errors[7] < 5


def test_guidance_pushes_and_narrows(capsys):
    out = run("guidance.py", capsys)
    heights = [float(number) for number in re.findall(r"mean \(\S+ (\S+)\)", out)]
    spreads = [float(number) for number in re.findall(r"deviation (\S+)", out)]
    assert heights[0] == pytest.approx(1, abs=0.1)
    assert spreads[0] == pytest.approx(0.5, abs=0.05)
    assert heights[0] < heights[1] < heights[2]
    assert heights[3] < heights[2]
    assert spreads[0] > spreads[1] > spreads[2]
    assert all(heights[0] < height < heights[2] for height in heights[4:7])
    blurred, mended = spreads[7:]
    assert blurred == pytest.approx(0.65, abs=0.05)
    assert mended == pytest.approx(0.5, abs=0.05)


def test_own_denoiser_comes_back_to_its_points(capsys):
    lines = run("own_denoiser.py", capsys).splitlines()
    assert len(lines) == 2
    for line in lines:
        assert float(re.search(r"at most (\S+)", line)[1]) < 1e-3


def test_inversion_comes_back_and_weighs(capsys):
    out = run("inversion.py", capsys)
    errors = [float(number) for number in re.findall(r"back: off by (\S+)", out)]
    assert 1.7 < errors[2] / errors[3] < 2.3
    assert 3.4 < errors[6] / errors[7] < 6.5
    assert float(re.search(r"off by (\S+) nats", out)[1]) < 1e-4
    estimates = re.findall(r"probes (\S+) \+- (\S+); in truth (\S+)", out)
    assert len(estimates) == 4
    assert all(abs(float(value) - float(true)) < 4 * float(error) for value, error, true in estimates)


@pytest.mark.slow
def test_train_and_generate_draws_four_digits(capsys):
    out = run("train_and_generate.py", capsys)
    assert out.startswith("finished after 150 steps")
    assert len(out.splitlines()) == 1 + 4 * 9

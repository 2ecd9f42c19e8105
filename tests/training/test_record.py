"""What a run writes of itself."""

import json

from polydiff.training.record import Metrics, Run


def metrics(folder):
    return Metrics(Run(folder, recipe=None), loggers=())


def test_lines_are_appended(tmp_path):
    metrics(tmp_path).add("train", 10, {"loss": 0.5})
    metrics(tmp_path).add("train", 20, {"loss": 0.25})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"kind": "train", "step": 10, "loss": 0.5},
        {"kind": "train", "step": 20, "loss": 0.25},
    ]


def test_line_torn_by_a_crash_is_cut_off(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"kind": "train", "step": 10}\n{"kind": "tr')
    metrics(tmp_path).add("train", 20, {})
    assert [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [10, 20]

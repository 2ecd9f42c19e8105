"""What `polydiff generate` tells of files' facts."""

import pytest

from polydiff.cli.generate import _tell_facts


def records(*facts):
    return [{"file": f"{i}", "facts": each} for i, each in enumerate(facts)]


@pytest.mark.parametrize(
    ("facts", "lines"),
    [
        ([], []),
        (
            [{"method": "one", "closed": True}] * 2 + [{"method": "two", "closed": False}],
            ["method: one (2), two (1)", "closed: yes (2), no (1)"],
        ),
        ([{"euler": 2}, {"euler": 0}, {"euler": 2}], ["euler: 2 (2), 0 (1)"]),
        ([{"triangles": count} for count in range(100, 120)], ["triangles: 100 to 119"]),
    ],
)
def test_a_line_for_each_fact(capsys, facts, lines):
    _tell_facts(records(*facts))
    assert capsys.readouterr().out.splitlines() == lines


def test_files_without_facts_have_no_lines(capsys):
    _tell_facts([{"file": "0"}])
    assert capsys.readouterr().out == ""

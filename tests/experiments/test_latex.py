import re

import pytest

from hml.experiments.latex import to_latex
from hml.experiments.table import make_table


@pytest.fixture
def lines(make_four):
    values = {"mixup": [2.1, 2.3], "sep_conf": [1.8, 1.9]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    return to_latex(make_table(dict.fromkeys(values, 2), outcomes)).splitlines()


def tables(lines):
    """Split into floats: the rows of each, by the label."""
    text = "\n".join(lines)
    floats = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, re.DOTALL)
    rows = {}
    for content in floats:
        (label,) = re.findall(r"\\label\{(.*?)\}", content)
        rows[label] = [line.removesuffix(r" \\").split(" & ") for line in content.splitlines() if line.endswith(r"\\")]
    return rows


def test_each_table_has_a_caption_a_label_and_booktabs_rules(lines):
    text = "\n".join(lines)
    assert list(tables(lines)) == ["tab:schemes", "tab:differences"]
    for command in (r"\begin{table}", r"\caption{", r"\label{", r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(command) == 2
    assert text.index(r"\caption") < text.index(r"\label")  # LaTeX numbers a label by the caption before it
    for content in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns, body = content
        assert {line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")} == {len(columns) - 1}
    assert text.isascii()
    assert "Seeds: 0, 1." in text


def test_schemes_are_set_beside_the_paper(lines):
    header, mixup, sep_conf = tables(lines)["tab:schemes"]
    assert header[:5] == ["scheme", "n", "CE", "paper", "Calib"]
    assert mixup[:3] == ["mixup", "2", r"2.200 $\pm$ 0.100"]
    assert sep_conf[:5] == [r"sep\_conf", "2", r"1.850 $\pm$ 0.050", "1.83", r"0.250 $\pm$ 0.000"]


def test_paired_differences_have_a_table(lines):
    header, first, *others = tables(lines)["tab:differences"]
    assert header == ["scheme", "metric", "n", "difference", r"95 \% interval", "p"]
    # Differences -.3 and -.4: mean -.35, standard error .05, t(.975, 1) = 12.706, p = 2 (1/2 - atan(7)/pi) = .090.
    assert first == [r"sep\_conf", "CE", "2", "$-$0.350", "[$-$0.985, +0.285]", ".090"]
    assert [row[0] for row in others] == [""] * len(others)
    assert any(r"minus mixup at the same seed" in line for line in lines)


def test_without_pairs_there_is_one_table(make_four):
    assert list(tables(to_latex(make_table({"mixup": 1}, [make_four("mixup", 0, 2.0)])).splitlines())) == [
        "tab:schemes"
    ]
    empty = to_latex(make_table({"mixup": 2}, []))
    assert r"mixup & 0 & -- & -- & -- & -- \\" in empty
    assert "Seeds: none." in empty

import math

import pandas as pd

from tests.benchmarks.coverage import Laboratory, group, measure, write_markdown


def test_the_benchmark_measures_what_both_commands_print():
    laboratory = Laboratory(8)
    found = measure(laboratory, laboratory.simulate("both", 0))
    lines = {group(name): ends for name, ends in found.items()}
    for line in ("relabel evaluate: bits less the relabeller", "relabeller: mae, mixup", "overall curve: gain"):
        value, low, high, low_people, high_people = lines[line]
        assert low < value < high
        assert low_people < value < high_people
    assert math.isnan(lines["agreement: disagreement"][1])  # it compares people, of whom there are too few
    assert not math.isnan(lines["agreement: disagreement"][0])


def test_the_table_has_a_line_for_each_statistic_and_a_dash_without_interval():
    columns = {"people": 33, "random": ["people", "both"], "coverage": [math.nan, 0.949], "width": [math.nan, 1.0]}
    table = write_markdown(pd.DataFrame({"line": "agreement: retest", **columns}))
    assert table.splitlines() == [
        "| statistic | 33 people, same images | 33 people, other images |",
        "| --- | --- | --- |",
        "| agreement: retest | – | 0.95; 1.00 |",
    ]

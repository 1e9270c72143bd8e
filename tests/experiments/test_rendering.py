import csv
import re

import pytest

from hml.experiments.rendering import runs_to_csv, schemes_to_csv, to_latex, to_markdown
from hml.experiments.runs import Failure
from hml.experiments.table import make_table


@pytest.fixture
def table(make_four):
    values = {"mixup": [2.1, 2.3], "sep_conf": [1.8, 1.9]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    return make_table(dict.fromkeys(values, 3), [*outcomes, Failure("sep_conf", 2, "The loss is nan.\nSee there.", 4)])


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_markdown_sets_mean_and_error_beside_the_paper(table):
    lines = to_markdown(table).splitlines()
    assert cells(lines[0])[:5] == ["scheme", "n", "CE", "paper", "Δ"]
    assert cells(lines[2])[:5] == ["mixup", "2", "2.200 ± 0.100", "2.19", "+0.010"]
    assert cells(lines[3])[:5] == ["sep_conf", "2", "1.850 ± 0.050", "1.83", "+0.020"]
    assert len({len(line) for line in lines[:4]}) == 1


def test_markdown_tells_paired_differences_order_and_failures(table):
    text = to_markdown(table)
    # Differences −.3 and −.4: mean −.35, standard error .05, t(.975, 1) = 12.706.
    assert ["sep_conf", "CE", "2", "−0.350", "[−0.985, +0.285]", ".090"] in [cells(line) for line in text.splitlines()]
    # Differences to the paper: .01 and .02; the root of (.0001 + .0004) / 2 is .0158.
    assert "- CE: 1 of 1 pairs in the paper's order; RMSE to the paper 0.016.\n" in text
    assert "- sep_conf: n = 2 of 3; seed 2 failed: The loss is nan. See there." in text
    assert "- mixup: n = 2 of 3; 1 not run." in text
    assert "- torch: 2.14." in text


def test_markdown_and_csv_name_the_baseline(make_four):
    outcomes = [make_four("mixup_fly", 0, 2.0), make_four("learned_mean", 0, 1.5)]
    table = make_table({"mixup_fly": 1, "learned_mean": 1}, outcomes, baseline="mixup_fly")
    text = to_markdown(table)
    assert "| minus mixup_fly |" in text
    assert "Each scheme minus mixup_fly at the same seed" in text
    assert float(list(csv.DictReader(schemes_to_csv(table).splitlines()))[4]["minus_mixup_fly"]) == -0.5


def test_differences_are_tested_for_equivalence_with_half_the_papers(make_four):
    values = {"mixup": [2.1, 2.3, 2.2], "sep_conf": [2.05, 2.2, 2.2], "agg": [2.1, 2.3, 2.2]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    table = make_table(dict.fromkeys(values, 3), outcomes)
    # Differences −.05, −.1, 0: mean −.05, standard error .05/√3. Half the paper's 1.83 − 2.19 is .18, so
    # t = (.18 − .05) / .0289 = 4.503 with 2 degrees of freedom, p = 1/2 − t / (2 √(t² + 2)) = .0230.
    assert "| sep_conf | CE     | −0.36 | −0.050 |             .023 |            3 |" in to_markdown(table)
    assert "| agg " not in to_markdown(table).partition("p of equivalence")[2]  # its differences have no spread
    rows = {
        row["scheme"]: row for row in csv.DictReader(schemes_to_csv(table).splitlines()) if "/cross" in row["metric"]
    }
    assert float(rows["sep_conf"]["p_equivalence"]) == pytest.approx(0.0230, abs=1e-4)
    assert float(rows["sep_conf"]["papers_minus_mixup"]) == -0.36
    assert rows["mixup"]["p_equivalence"] == rows["agg"]["p_equivalence"] == ""


def test_a_reversed_order_is_spelt_out(make_four):
    outcomes = [make_four("mixup", 0, 1.0), make_four("sep_conf", 0, 2.0)]
    text = to_markdown(make_table({"mixup": 1, "sep_conf": 1}, outcomes))
    assert "- CE: 0 of 1 pairs in the paper's order; RMSE to the paper 0.850. Reversed: mixup < sep_conf.\n" in text


def test_without_the_papers_data_there_is_no_paper_column(make_four):
    text = to_markdown(make_table({"mixup": 1}, [make_four("mixup", 0, 2.0, files={})]))
    assert "paper" not in text
    assert cells(text.splitlines()[2]) == ["mixup", "1", "2.000", "0.250", "12.000", "0.660"]


def test_csv_has_every_figure_in_full(table):
    rows = list(csv.DictReader(schemes_to_csv(table).splitlines()))
    assert [(row["scheme"], row["metric"]) for row in rows][:2] == [
        ("mixup", "test/cross_entropy"),
        ("mixup", "test/rms_calibration"),
    ]
    row = rows[4]
    assert (row["scheme"], row["n"], row["asked"], row["paper"]) == ("sep_conf", "2", "3", "1.83")
    assert float(row["mean"]) == pytest.approx(1.85, abs=1e-12)
    assert float(row["minus_mixup"]) == pytest.approx(-0.35, abs=1e-12)
    assert float(row["p"]) == pytest.approx(float(row["p_holm"]))
    assert rows[3]["paper"] == ""


@pytest.fixture
def crossed(make_four, give_images):
    """A table with values for each image: two seeds of mixup and sep_conf, and one of sep."""
    values = {"mixup": [2.1, 2.3], "sep_conf": [1.8, 1.9], "sep": [2.0]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    schemes = {scheme: len(own) for scheme, own in values.items()}
    return make_table(schemes, outcomes, per_images=give_images(outcomes))


def write(found):
    return f"[{found.low:+.3f}, {found.high:+.3f}]".replace("-", "−")


def test_markdown_says_what_each_interval_takes_as_random(crossed):
    text, cell = to_markdown(crossed), crossed.rows[1].cells["CE"]
    lines = [cells(line) for line in text.splitlines()]
    mean, low, high = cell.crossed.mean.mean, cell.crossed.mean.low, cell.crossed.mean.high
    assert ["sep_conf", "2", f"{mean:.3f} [{low:.3f}, {high:.3f}]".replace("-", "−")] in [line[:3] for line in lines]
    assert "Mean [95 % interval over seeds and test images, or over images only where n = 1]." in text
    header = ["scheme", "metric", "n", "minus mixup", "95 % over seeds", "p", "95 % over seeds and images", "p"]
    first = lines[lines.index(header) + 2]
    assert first[:6] == ["sep_conf", "CE", "2", "−0.350", "[−0.985, +0.285]", ".090"]
    assert first[6] == write(cell.crossed.to_baseline)
    assert "interval and p over seeds, for these test images; interval and p over seeds and test images, or" in text
    assert "p values are adjusted by Holm over the schemes of a metric; intervals are not." in text
    alone = next(line for line in lines[lines.index(header) :] if line[0] == "sep")
    assert alone[:6] == ["sep", "CE", "1", "−0.100", "–", "–"]
    assert alone[6] == write(crossed.rows[2].cells["CE"].crossed.to_baseline)


def test_csv_has_a_line_for_each_thing_that_is_random(crossed):
    rows = list(csv.DictReader(schemes_to_csv(crossed).splitlines()))
    of_ce = [row for row in rows if row["metric"] == "test/cross_entropy"]
    assert [(row["scheme"], row["random"], row["n"]) for row in of_ce] == [
        ("mixup", "seeds", "2"),
        ("mixup", "seeds and images", "2"),
        ("sep_conf", "seeds", "2"),
        ("sep_conf", "seeds and images", "2"),
        ("sep", "seeds", "1"),
        ("sep", "images", "1"),
    ]
    over_seeds, over_both, cell = of_ce[2], of_ce[3], crossed.rows[1].cells["CE"]
    # 1.8 and 1.9: standard error .05, t(.975, 1) = 12.706.
    assert float(over_seeds["mean_high"]) == pytest.approx(1.85 + 12.706 * 0.05, abs=1e-4)
    assert float(over_both["mean_high"]) == pytest.approx(cell.crossed.mean.high)
    assert float(over_both["low"]) == pytest.approx(cell.crossed.to_baseline.low)
    assert float(over_both["p_holm"]) == pytest.approx(cell.crossed.adjusted_p)
    assert float(over_both["minus_mixup"]) == pytest.approx(float(over_seeds["minus_mixup"]))
    assert of_ce[4]["mean_low"] == ""
    assert float(of_ce[5]["mean_low"]) < 2.0 < float(of_ce[5]["mean_high"])


@pytest.fixture
def scaled(make_result):
    """Runs of two schemes at two seeds, whose order is reversed by temperature scaling."""

    def make(scheme, seed, cross_entropy, scaled):
        metrics = {"rms_calibration": 0.2, "fgsm_cross_entropy": 9.0, "accuracy": 0.6, "temperature": 2.5}
        metrics |= {"rms_calibration_scaled": 0.05, "fgsm_cross_entropy_scaled": None}
        return make_result(scheme, seed, cross_entropy=cross_entropy, cross_entropy_scaled=scaled, **metrics)

    return [make("regular", 0, 2.2, 1.2), make("regular", 1, 2.3, 1.3), make("mixup", 0, 1.9, 1.4)]


def test_a_second_table_has_the_figures_after_temperature_scaling(scaled, make_four):
    schemes = {"regular": 2, "mixup": 1}
    lines = [cells(line) for line in to_markdown(make_table(schemes, scaled)).splitlines()]
    start = lines.index(["scheme", "n", "CE", "Calib", "FGSM", "temperature"])
    assert lines[start + 2] == ["regular", "2", "1.250 ± 0.050", "0.050 ± 0.000", "–", "2.500 ± 0.000"]
    assert lines[start + 3] == ["mixup", "1", "1.400", "0.050", "–", "2.500"]
    assert "tab:scaled" in to_latex(make_table(schemes, scaled))
    assert "temperature" not in to_markdown(make_table(schemes, scaled, ["CE"]))
    old = make_four("mixup", 1, 2.0)  # an earlier version wrote it
    assert "temperature" not in to_markdown(make_table(schemes, [*scaled, old]))


def test_runs_without_a_scaled_figure_have_a_dash_and_a_note(scaled, make_four):
    schemes = {"regular": 2, "sep": 1}
    text = to_markdown(make_table(schemes, [*scaled[:2], make_four("sep", 0, 2.0)], ["cross_entropy_scaled"]))
    assert ["sep", "1", "–"] in [cells(line) for line in text.splitlines()]
    assert "- sep has no finite cross_entropy_scaled at seed 0: an earlier version of hml did not log it." in text


def test_latex_has_the_intervals_over_images_too(crossed):
    latex, cell = to_latex(crossed), crossed.rows[1].cells["CE"]
    floats = floats_of(latex.splitlines())
    assert list(floats) == ["tab:schemes", "tab:intervals", "tab:differences", "tab:replication"]
    mean = cell.crossed.mean
    assert floats["tab:intervals"][2][2] == f"{mean.mean:.3f} [{mean.low:.3f}, {mean.high:.3f}]".replace("-", "$-$")
    assert floats["tab:differences"][1][6] == write(cell.crossed.to_baseline).replace("−", "$-$")
    assert latex.isascii()


def test_csv_of_runs_has_a_line_a_run(table):
    rows = list(csv.DictReader(runs_to_csv(table).splitlines()))
    assert [(row["scheme"], row["seed"], row["test/cross_entropy"]) for row in rows] == [
        ("mixup", "0", "2.1"),
        ("mixup", "1", "2.3"),
        ("sep_conf", "0", "1.8"),
        ("sep_conf", "1", "1.9"),
    ]
    assert rows[0]["seconds/fit"] == "100.0"


def test_an_empty_table_renders():
    table = make_table({"mixup": 2}, [])
    assert "- mixup: n = 0 of 2; 2 not run." in to_markdown(table)
    assert runs_to_csv(table) == ""


@pytest.fixture
def latex(make_four):
    values = {"mixup": [2.1, 2.3], "sep_conf": [1.8, 1.9]}
    outcomes = [make_four(scheme, seed, value) for scheme, own in values.items() for seed, value in enumerate(own)]
    return to_latex(make_table(dict.fromkeys(values, 2), outcomes)).splitlines()


def floats_of(lines):
    """Split into floats: the rows of each, by the label."""
    text = "\n".join(lines)
    floats = re.findall(r"\\begin\{table\}(.*?)\\end\{table\}", text, re.DOTALL)
    rows = {}
    for content in floats:
        (label,) = re.findall(r"\\label\{(.*?)\}", content)
        rows[label] = [line.removesuffix(r" \\").split(" & ") for line in content.splitlines() if line.endswith(r"\\")]
    return rows


def test_each_table_has_a_caption_a_label_and_booktabs_rules(latex):
    text = "\n".join(latex)
    assert list(floats_of(latex)) == ["tab:schemes", "tab:differences", "tab:replication"]
    for command in (r"\begin{table}", r"\caption{", r"\label{", r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(command) == 3
    assert text.index(r"\caption") < text.index(r"\label")  # LaTeX numbers a label by the caption before it
    for content in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", text, re.DOTALL):
        columns, body = content
        assert {line.count(" & ") for line in body.splitlines() if line.endswith(r"\\")} == {len(columns) - 1}
    assert text.isascii()
    assert "Seeds: 0, 1." in text


def test_schemes_are_set_beside_the_paper(latex):
    header, mixup, sep_conf = floats_of(latex)["tab:schemes"]
    assert header[:5] == ["scheme", "n", "CE", "paper", "Calib"]
    assert mixup[:3] == ["mixup", "2", r"2.200 $\pm$ 0.100"]
    assert sep_conf[:5] == [r"sep\_conf", "2", r"1.850 $\pm$ 0.050", "1.83", r"0.250 $\pm$ 0.000"]


def test_paired_differences_have_a_table(latex):
    header, first, *others = floats_of(latex)["tab:differences"]
    assert header == ["scheme", "metric", "n", "minus mixup", r"95 \% over seeds", "p"]
    # Differences -.3 and -.4: mean -.35, standard error .05, t(.975, 1) = 12.706, p = 2 (1/2 - atan(7)/pi) = .090.
    assert first == [r"sep\_conf", "CE", "2", "$-$0.350", "[$-$0.985, +0.285]", ".090"]
    assert [row[0] for row in others] == [""] * len(others)
    assert any(r"minus mixup at the same seed" in line for line in latex)


def test_without_pairs_there_is_one_table(make_four):
    assert list(floats_of(to_latex(make_table({"mixup": 1}, [make_four("mixup", 0, 2.0)])).splitlines())) == [
        "tab:schemes"
    ]
    empty = to_latex(make_table({"mixup": 2}, []))
    assert r"mixup & 0 & -- & -- & -- & -- \\" in empty
    assert "Seeds: none." in empty

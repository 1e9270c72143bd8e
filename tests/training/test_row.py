import dataclasses
import math

import pytest
import torch

from hml.data.download import HMIX_INFERENCES
from hml.evaluation import alignment
from hml.evaluation.paper import COLUMNS
from hml.training.recipe import Recipe
from hml.training.result import RunResult, Training
from hml.training.row import format_row

METRICS = {
    "test/cross_entropy": 1.2346,
    "test/rms_calibration": 0.25,
    "test/fgsm_cross_entropy": 9.5,
    "test/accuracy": 0.75,
    "test/kl_divergence": 0.9,
}
PAPERS = {"files": {HMIX_INFERENCES.name: HMIX_INFERENCES.sha256}, "mixed_images": 810}
SEP_CONF = {"class_path": "hml.labels.SeparateLabels", "init_args": {"gamma": 0.005}}
RECIPE = Recipe(data={"strategy": SEP_CONF})
RESULT = RunResult("sep_conf", 3, METRICS, Training(65, 10), RECIPE, {"files": {}}, {}, False, 1, 1, {})
LEGEND = {"test/cross_entropy": "cross entropy to people's labels", "test/accuracy": "against the true class"}


def rows(text):
    return text.split("\n\n")[0].split("\n")


def test_the_row_lines_up_under_its_columns():
    header, ours, guess, floor, paper = rows(format_row(dataclasses.replace(RESULT, data=PAPERS), LEGEND, 10))
    assert header.split() == ["CE", "↓", "Calib", "↓", "FGSM", "↓", "accuracy", "↑"]
    assert ours == "sep_conf, seed 3, 65 epochs".ljust(33) + "".join(
        figure.rjust(12) for figure in ("1.235", "0.250", "9.500", "0.750")
    )
    assert guess.split()[-4:] == ["2.303", "–", "2.303", "0.100"]
    assert floor.split()[-4:] == ["0.335", "–", "–", "–"]
    assert paper.split()[-4:] == ["1.83", "0.24", "11.81", "–"]
    assert {len(line) for line in (header, ours, guess, floor, paper)} == {len(header)}


def test_yardsticks_are_of_the_data_the_run_was_tested_on():
    target = torch.tensor([[0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).double()
    logits = torch.zeros(2, 4).double()
    metrics = {
        "test/cross_entropy": float(alignment.soft_cross_entropy(logits, target)),
        "test/kl_divergence": float(alignment.kl_divergence(logits, target)),
    }
    _, ours, guess, floor = rows(format_row(dataclasses.replace(RESULT, metrics=metrics), {}, 4))
    assert ours.split()[-4:] == [f"{math.log(4):.3f}", "–", "–", "–"]
    assert guess.split()[-4:] == [f"{math.log(4):.3f}", "–", f"{math.log(4):.3f}", "0.250"]
    assert floor.split()[-4] == f"{math.log(2) / 2:.3f}"  # one image of two is a coin toss


def test_figures_after_temperature_scaling_have_a_row():
    scaled = {"cross_entropy_scaled": 1.1, "rms_calibration_scaled": None, "fgsm_cross_entropy_scaled": 4.0}
    metrics = METRICS | {f"test/{name}": value for name, value in scaled.items()} | {"test/temperature": 2.5}
    result = dataclasses.replace(RESULT, metrics=metrics)
    row = rows(format_row(result, LEGEND, 10))[2]
    assert row.startswith("after temperature scaling, T = 2.50 ")
    assert row.split()[-4:] == ["1.100", "–", "4.000", "–"]
    undefined = dataclasses.replace(result, metrics=result.metrics | {"test/temperature": math.nan})
    assert "scaling" not in format_row(undefined, LEGEND, 10)


def test_without_peoples_labels_there_is_no_row_for_them():
    text = format_row(dataclasses.replace(RESULT, truth={"test/cross_entropy": "true class"}), {}, 10)
    assert len(rows(text)) == 3
    assert "people" not in text


def test_columns_and_directions_are_explained():
    text = format_row(RESULT, LEGEND, 10)
    assert "CE: cross entropy to people's labels. accuracy: against the true class." in text
    assert "↓ lower is better, ↑ higher is better." in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "unheard-of"])
def test_a_terminal_without_arrows_gets_words(encoding):
    text = format_row(RESULT, LEGEND, 10, encoding)
    assert "CE (low)" in text
    assert "accuracy (high)" in text
    assert "(low) lower is better" in text
    assert not set(text) & {"↓", "↑"}


@pytest.mark.parametrize("value", [None, math.nan])
def test_a_figure_that_does_not_exist_is_a_dash_with_its_reason(value):
    undefined = dataclasses.replace(
        RESULT,
        metrics=METRICS | {"test/rms_calibration": value},
        undefined={"test/rms_calibration": "3 images are too few", "test/ece": "not in the row"},
    )
    text = format_row(undefined, LEGEND, 10)
    assert rows(text)[1].split()[-3] == "–"
    assert text.endswith("No Calib: 3 images are too few.")


@pytest.mark.parametrize(
    ("scheme", "data"),
    [
        ("stubborn", PAPERS),
        ("sep_conf", PAPERS | {"mixed_images": 809}),
        ("sep_conf", PAPERS | {"files": {HMIX_INFERENCES.name: "0"}}),
    ],
)
def test_the_papers_row_is_there_only_for_its_schemes_and_data(scheme, data):
    assert "paper" not in format_row(dataclasses.replace(RESULT, scheme=scheme, data=data), LEGEND, 10)


def test_other_labels_than_those_of_the_papers_row_are_named():
    wrapped = {"wrap": {"class_path": "hml.labels.Rounded"}, "strategy": SEP_CONF}
    result = dataclasses.replace(RESULT, recipe=Recipe(data=wrapped))
    assert "sep_conf is hml.labels.Rounded(hml.labels.SeparateLabels) with gamma 0.005, the paper's " in format_row(
        dataclasses.replace(result, data=PAPERS), LEGEND, 10
    )
    assert "Rounded" not in format_row(result, LEGEND, 10), "no figure of the paper's is there"


def test_the_papers_row_follows_the_columns_names(monkeypatch):
    monkeypatch.setattr("hml.training.row.COLUMNS", dict(reversed(COLUMNS.items())))
    paper = rows(format_row(dataclasses.replace(RESULT, data=PAPERS), LEGEND, 10))[-1]
    assert paper.split()[-4:] == ["–", "11.81", "0.24", "1.83"]


def test_without_peoples_labels_there_is_no_floor():
    asked_nobody = dataclasses.replace(RESULT, truth={"test/cross_entropy": "true class"})
    assert "people" not in format_row(asked_nobody, {}, 10)
    asked_people = dataclasses.replace(RESULT, truth={"test/cross_entropy": "people's labels"})
    assert "people's labels (lowest CE)" in format_row(asked_people, {}, 10)

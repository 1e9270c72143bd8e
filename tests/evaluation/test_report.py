import json
from pathlib import Path

import pytest
import torch

from hml.choices import flatten
from hml.data import HMixDataModule
from hml.data.download import HMIX_INFERENCES
from hml.evaluation.callbacks import FGSM, Calibration, HumanAlignment
from hml.evaluation.paper import COLUMNS
from hml.evaluation.report import Report, _table

RECIPE = {"data": {"batch_size": 16, "val_size": None}, "fgsm": {"epsilon": 0.0157}}
ROW = ("sep_conf, seed 3", "sep_conf")
METRICS = {
    "test/cross_entropy": 1.2346,
    "test/rms_calibration": 0.25,
    "test/fgsm_cross_entropy": 9.5,
    "test/accuracy": 0.75,
}


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def report_of(trainer, classifier, data):
    trainer.test(classifier, datamodule=data, verbose=False)
    path = Path(trainer.log_dir) / "metrics.json"
    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture
def callbacks():
    return [HumanAlignment(), Calibration(), FGSM(), Report("sep_conf", 3, RECIPE)]


def test_metrics_json_holds_what_made_the_run(tiny, classifier, make_trainer, callbacks):
    content = report_of(make_trainer(*callbacks, tensorboard=True), classifier, tiny())
    assert list(content) == [
        "scheme",
        "seed",
        "metrics",
        "training",
        "recipe",
        "data",
        "versions",
        "compiled",
        "processes",
        "threads",
        "seconds",
    ]
    assert (content["scheme"], content["seed"], content["recipe"]) == ("sep_conf", 3, RECIPE)
    assert content["data"]["test_images"] == 33
    assert content["data"]["mixed_images"] == 45
    assert content["data"]["canonical_pixels"] is False
    assert {"hml", "torch", "lightning", "torchmetrics", "numpy", "device"} <= set(content["versions"])
    assert content["compiled"] is False
    assert content["processes"] == 1
    assert content["threads"] == torch.get_num_threads()
    assert content["training"] is None, "nothing has trained this network"
    assert content["seconds"]["fit"] is None
    assert content["seconds"]["test"] >= 0


def test_numbers_that_do_not_exist_are_null(tiny, classifier, make_trainer, callbacks):
    metrics = report_of(make_trainer(*callbacks, tensorboard=True), classifier, tiny())["metrics"]
    assert metrics["test/rms_calibration"] is None  # 33 images fill no two bins of 100
    assert 0 <= metrics["test/rms_calibration_full"] <= 1
    assert all(isinstance(value, float) for name, value in metrics.items() if name != "test/rms_calibration")


def test_numbers_are_those_that_were_logged(tiny, classifier, make_trainer, callbacks):
    trainer = make_trainer(*callbacks, tensorboard=True)
    content = report_of(trainer, classifier, tiny())
    for name, value in trainer.callback_metrics.items():
        if name != "test/rms_calibration":
            assert content["metrics"][name] == float(value)


def test_seconds_of_fit_are_told(tiny, classifier, make_trainer, callbacks):
    trainer = make_trainer(*callbacks, tensorboard=True, max_epochs=1, limit_val_batches=0)
    trainer.fit(classifier, datamodule=tiny())
    assert report_of(trainer, classifier, tiny())["seconds"]["fit"] > 0


def test_nothing_is_written_without_a_folder_of_the_runs_own(tiny, classifier, make_trainer, callbacks, tmp_path):
    make_trainer(*callbacks, fast_dev_run=True).test(classifier, datamodule=tiny(), verbose=False)
    assert list(tmp_path.rglob("metrics.json")) == []


def test_made_up_data_do_not_stand_beside_the_papers_row(tiny, classifier, make_trainer, callbacks, capsys):
    report_of(make_trainer(*callbacks, tensorboard=True), classifier, tiny())
    printed = capsys.readouterr().out
    assert "sep_conf, seed 3" in printed
    assert "paper, 65 epochs" not in printed


@pytest.mark.parametrize(("mixed_images", "beside"), [(810, True), (809, False)])
def test_papers_data_stand_beside_its_row(
    tiny, classifier, make_trainer, callbacks, capsys, monkeypatch, mixed_images, beside
):
    provenance = {"files": {HMIX_INFERENCES.name: HMIX_INFERENCES.sha256}, "mixed_images": mixed_images}
    monkeypatch.setattr(HMixDataModule, "provenance", provenance)
    report_of(make_trainer(*callbacks, tensorboard=True), classifier, tiny())
    assert ("paper, 65 epochs" in capsys.readouterr().out) == beside


def test_table_lines_up_under_its_columns():
    blank, header, ours, paper = _table(*ROW, METRICS, beside_paper=True).rstrip("\n").split("\n")
    assert blank == ""
    assert header.split() == ["CE", "Calib", "FGSM", "accuracy"]
    assert ours.split() == ["sep_conf,", "seed", "3", "1.235", "0.250", "9.500", "0.750"]
    assert paper.split()[-4:] == ["1.83", "0.24", "11.81", "–"]
    assert len(header) == len(ours) == len(paper)


def test_the_papers_row_goes_by_the_columns_names(monkeypatch):
    monkeypatch.setattr("hml.evaluation.report.COLUMNS", dict(reversed(COLUMNS.items())))
    paper = _table(*ROW, METRICS, beside_paper=True).rstrip("\n").split("\n")[-1]
    assert paper.split()[-4:] == ["–", "11.81", "0.24", "1.83"]


def test_scheme_that_the_paper_lacks_stands_alone():
    assert "paper" not in _table("stubborn, seed 0", "stubborn", METRICS, beside_paper=True)


def test_recipe_is_flattened_for_tensorboard():
    assert flatten({"a": {"b": 1, "c": {"d": None}}, "e": [1, 2]}) == {"a/b": 1, "a/c/d": "None", "e": "[1, 2]"}

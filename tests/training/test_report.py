import json
import warnings
from pathlib import Path

import pytest
import torch

from hml.data import HMixDataModule
from hml.data.download import HMIX_INFERENCES
from hml.evaluation.callbacks import FGSM, Calibration, HumanAlignment
from hml.evaluation.per_image import read_per_image
from hml.training.choices import flatten
from hml.training.recipe import Recipe
from hml.training.report import Report, choose_hyperparameters

RECIPE = Recipe(
    data={"batch_size": 16, "val_size": None, "strategy": {"class_path": "hml.labels.MixupLabels"}},
    fgsm={"epsilon": 0.0157},
)


def refuse(constant):
    raise AssertionError(f"{constant} is no JSON")


def report_of(trainer, classifier, data):
    trainer.test(classifier, datamodule=data, verbose=False)
    path = Path(trainer.log_dir) / "metrics.json"
    return json.loads(path.read_text(), parse_constant=refuse)


@pytest.fixture
def callbacks():
    return [HumanAlignment(), Calibration(10), FGSM(), Report("sep_conf", 3, RECIPE)]


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
        "truth",
        "undefined",
        "bin_size",
    ]
    assert (content["scheme"], content["seed"], content["recipe"]) == ("sep_conf", 3, RECIPE.to_json())
    assert content["data"]["test_images"] == 33
    assert content["data"]["mixed_images"] == 45
    assert content["data"]["canonical_pixels"] is False
    assert {"hml", "torch", "lightning", "torchmetrics", "numpy", "device"} <= set(content["versions"])
    assert content["compiled"] is False
    assert content["processes"] == 1
    assert content["threads"] == torch.get_num_threads()
    assert content["bin_size"]["test/rms_calibration"] == 10
    assert content["training"] is None, "nothing has trained this network"
    assert content["seconds"]["fit"] is None
    assert content["seconds"]["test"] >= 0


def test_numbers_that_do_not_exist_are_null_with_their_reason(tiny, classifier, make_trainer, capsys, caplog):
    trainer = make_trainer(HumanAlignment(), Calibration(100), FGSM(), Report("sep_conf", 3, RECIPE), tensorboard=True)
    reason = "33 images fill fewer than two bins of 100, and PixMix's error leaves out the last bin"
    content = report_of(trainer, classifier, tiny())
    (notice,) = [message for message in caplog.messages if "can't be computed" in message]
    listed = [f"test/rms_calibration{end}" for end in ("", "_true", "_scaled")]
    assert notice.startswith(f"{', '.join(listed)} can't be computed: {reason}")
    missing = {name for name, value in content["metrics"].items() if value is None}
    assert missing == set(listed) == content["undefined"].keys()
    assert all(text.startswith(reason) for text in content["undefined"].values())
    assert 0 <= content["metrics"]["test/rms_calibration_full"] <= 1
    printed = capsys.readouterr().out
    assert f"No Calib: {reason}" in printed
    assert "nan" not in printed


def test_metrics_json_has_what_each_figure_is_compared_with(tiny, classifier, make_trainer, callbacks):
    content = report_of(make_trainer(*callbacks, tensorboard=True), classifier, tiny())
    assert content["truth"].keys() == content["metrics"].keys() - {"test/loss"}
    truth = {
        "cross_entropy": "people's labels",
        "ece": "people's majority",
        "ece_true": "true class",
        "accuracy": "true class",
        "human_accuracy": "people's majority",
        "fgsm_cross_entropy": "people's labels",
        "fgsm_cross_entropy_scaled": "people's labels",
        "ece_scaled": "people's majority",
        "temperature": "people's labels",
    }
    assert {name: content["truth"][f"test/{name}"] for name in truth} == truth
    assert content["undefined"] == {}


def test_numbers_are_those_that_were_logged(tiny, classifier, make_trainer, callbacks):
    trainer = make_trainer(*callbacks, tensorboard=True)
    content = report_of(trainer, classifier, tiny())
    for name, value in trainer.callback_metrics.items():
        assert content["metrics"][name] == float(value)


def test_every_figure_has_a_value_of_each_image_beside_it(tiny, classifier, make_trainer):
    callbacks = [HumanAlignment(), Calibration(2), FGSM(num_images=3), Report("sep_conf", 3, RECIPE)]
    trainer, data = make_trainer(*callbacks, tensorboard=True), tiny(val_size=5)
    trainer.validate(classifier, datamodule=data, verbose=False)
    figures = report_of(trainer, classifier, data)["metrics"]
    per_image = read_per_image(Path(trainer.log_dir))
    others = {f"{stage}/{name}" for stage in ("test", "val") for name in ("loss", "temperature")}
    assert per_image.values.keys() == figures.keys() - others
    for name in per_image.values:
        if figures[name] is not None:
            ids, values = per_image.find(name)
            assert values.mean() == pytest.approx(figures[name], rel=1e-3, abs=1e-3)
            stage = data.bank.test_ids if name.startswith("test/") else data.val_ids
            assert set(ids.tolist()) <= set(stage.tolist())
            assert len(ids) == (3 if "fgsm" in name else len(stage))


def test_seconds_of_fit_are_reported(tiny, classifier, make_trainer, callbacks):
    trainer = make_trainer(*callbacks, tensorboard=True, max_epochs=1, limit_val_batches=0)
    trainer.fit(classifier, datamodule=tiny())
    assert report_of(trainer, classifier, tiny())["seconds"]["fit"] > 0


def test_nothing_is_written_without_a_folder_of_the_runs_own(tiny, classifier, make_trainer, callbacks, tmp_path):
    make_trainer(*callbacks, fast_dev_run=True).test(classifier, datamodule=tiny(), verbose=False)
    assert list(tmp_path.rglob("metrics.json")) == []


def test_synthetic_data_are_not_shown_beside_the_papers_row(tiny, classifier, make_trainer, callbacks, capsys):
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


def test_recipe_is_flattened_for_tensorboard():
    assert flatten({"a": {"b": 1, "c": {"d": None}}, "e": [1, 2]}) == {"a/b": 1, "a/c/d": "None", "e": "[1, 2]"}


def test_tensorboards_table_has_scheme_seed_and_the_papers_figures_first(tiny, classifier, make_trainer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what TensorBoard's reader imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from tensorboard.plugins.hparams import metadata

    recipe = Recipe(
        data={"batch_size": 16, "val_size": None, "strategy": {"class_path": "a.B", "init_args": {"gamma": 0.5}}},
        trainer={"max_epochs": 8, "max_time": None},
    )
    callbacks = [HumanAlignment(), Calibration(10), FGSM(), Report("sep_conf", 3, recipe)]
    trainer = make_trainer(*callbacks, tensorboard=True)
    content = report_of(trainer, classifier, tiny())
    events = EventAccumulator(trainer.log_dir).Reload()
    tags = (metadata.EXPERIMENT_TAG, metadata.SESSION_START_INFO_TAG)
    experiment, session = (events.SummaryMetadata(tag).plugin_data.content for tag in tags)
    experiment = metadata.parse_experiment_plugin_data(experiment)
    columns = sorted(column.name for column in experiment.hparam_infos)  # as TensorBoard sorts them
    assert columns == ["scheme", "seed", *(f"setting/{name}" for name in ("batch_size", "epochs", "gamma", "strategy"))]
    session = metadata.parse_session_start_info_plugin_data(session).hparams
    assert (session["scheme"].string_value, session["seed"].number_value) == ("sep_conf", 3)
    assert session["setting/gamma"].number_value == 0.5
    figures = ["test/cross_entropy", "test/rms_calibration", "test/fgsm_cross_entropy", "test/accuracy"]
    assert [figure.name.tag for figure in experiment.metric_infos] == figures
    for name in figures:
        assert events.Scalars(name)[-1].value == pytest.approx(content["metrics"][name])
    (text,) = events.Tensors("recipe/text_summary")
    assert '    "batch_size": 16,' in text.tensor_proto.string_val[0].decode()


def test_a_choice_that_a_recipe_lacks_is_no_column():
    assert choose_hyperparameters("mine", 0, Recipe(trainer={"max_epochs": 2})) == {
        "scheme": "mine",
        "seed": 0,
        "setting/epochs": 2,
    }

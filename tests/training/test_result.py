import json
import math

import pytest
from lightning.pytorch.callbacks import EarlyStopping

from hml.errors import InputError
from hml.training.recipe import Recipe
from hml.training.result import RunResult, Training, measure_training, read_result, write_result

STEPS_AN_EPOCH = 6  # of 16 images; what is left over starts no batch


def trained(trainer, classifier, data):
    trainer.fit(classifier, datamodule=data)
    assert trainer.num_training_batches == STEPS_AN_EPOCH
    return measure_training(trainer)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"max_epochs": 2}, Training(2, 12)),
        ({"max_epochs": 2, "accumulate_grad_batches": 2}, Training(2, 6)),
        ({"max_epochs": 2, "max_steps": 12}, Training(2, 12)),
        ({"max_epochs": 2, "max_steps": 9}, Training(1.5, 9, "max_steps 9")),
        ({"max_epochs": 9, "max_steps": 6}, Training(1, 6, "max_steps 6")),
        ({"max_epochs": -1, "max_steps": 9}, Training(1.5, 9)),
    ],
)
def test_epochs_and_steps_are_those_trained(tiny, classifier, make_trainer, limits, expected):
    trainer = make_trainer(limit_val_batches=0, num_sanity_val_steps=0, **limits)
    assert trained(trainer, classifier, tiny()) == expected


def test_early_stopping_is_named_with_what_it_watches(tiny, classifier, make_trainer):
    stopping = EarlyStopping("train/loss", stopping_threshold=1e9, check_on_train_epoch_end=True)
    trainer = make_trainer(stopping, max_epochs=5, limit_val_batches=0)
    assert trained(trainer, classifier, tiny()) == Training(1, 6, "EarlyStopping (train/loss)")


@pytest.mark.parametrize(("epochs", "said"), [(1, "1 epoch"), (65, "65 epochs"), (1.5, "1.5 epochs"), (0, "0 epochs")])
def test_epochs_are_named_for_people(epochs, said):
    assert str(Training(epochs, 1)) == said


def make_result(**options):
    parts = {"metrics": {"ce": 0.5, "calib": math.nan}, "training": Training(1.5, 9), "data": {}}
    rest = {"versions": {}, "compiled": False, "processes": 1, "threads": 2, "seconds": {"fit": None}}
    parts["recipe"] = Recipe(data={"a": [1]})
    return RunResult("sep", 3, **parts | rest | options)


def test_a_result_is_read_as_it_was_written(tmp_path):
    assert read_result(tmp_path) is None
    write_result(tmp_path, make_result())
    assert read_result(tmp_path) == make_result(metrics={"ce": 0.5, "calib": None})
    write_result(tmp_path, make_result(metrics={}, training=None))
    assert read_result(tmp_path).training is None
    told = make_result(metrics={"calib": None}, truth={"calib": "true class"}, undefined={"calib": "too few images"})
    write_result(tmp_path, told)
    assert read_result(tmp_path) == told


@pytest.mark.parametrize("name", ["truth", "undefined"])
def test_a_result_without_what_explains_its_figures_is_read(tmp_path, name):
    path = write_result(tmp_path, make_result())
    content = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in content.items() if key != name}))
    assert getattr(read_result(tmp_path), name) == {}
    path.write_text(json.dumps(content | {name: ["x"]}))
    with pytest.raises(InputError, match=name):
        read_result(tmp_path)


@pytest.mark.parametrize("training", [{}, {"epochs": "2", "steps": 1}, {"epochs": 2, "steps": True}, [2, 1]])
def test_training_that_is_no_number_is_rejected_by_name(tmp_path, training):
    path = write_result(tmp_path, make_result())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"training": training}))
    with pytest.raises(InputError, match="training"):
        read_result(tmp_path)

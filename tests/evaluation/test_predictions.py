import csv
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from hml.data import DemoMixes, HMixDataModule
from hml.data.demo import TEXTURES
from hml.evaluation.predictions import PredictionWriter
from hml.labels import NoMixed
from hml.training.classifier import Classifier
from tests.three_classes import ThreeClasses


def predicted(trainer, classifier, data):
    trainer.predict(classifier, datamodule=data, return_predictions=False)
    with (Path(trainer.log_dir) / "predictions.csv").open(newline="") as file:
        return list(csv.reader(file))


def test_file_holds_each_test_image_in_order(tiny, classifier, make_trainer, whole_split):
    data = tiny()
    header, *rows = predicted(make_trainer(PredictionWriter(), tensorboard=True), classifier, data)
    assert header == ["image_id", "label", *TEXTURES]
    assert [int(row[0]) for row in rows] == data.bank.test_ids.tolist() == list(range(60, 93))
    assert [TEXTURES.index(row[1]) for row in rows] == data.bank.labels[60:].tolist()
    probabilities = whole_split(classifier, data.predict_dataloader())[3].softmax(1)
    for row, expected in zip(rows, probabilities.tolist(), strict=True):
        values = [float(cell) for cell in row[2:]]
        assert sum(values) == pytest.approx(1, abs=1e-6)
        assert values == pytest.approx(expected, abs=1e-5)


def test_npz_holds_logits_ids_and_classes_for_plain_numpy(tiny, classifier, make_trainer, whole_split):
    data = tiny()
    trainer = make_trainer(PredictionWriter("npz"), tensorboard=True)
    trainer.predict(classifier, datamodule=data, return_predictions=False)
    with np.load(Path(trainer.log_dir) / "predictions.npz", allow_pickle=False) as file:
        arrays = dict(file)
    _, _, label, logits = whole_split(classifier, data.predict_dataloader())
    np.testing.assert_allclose(arrays["logits"], logits.numpy(), atol=1e-5)
    np.testing.assert_allclose(arrays["probabilities"], logits.softmax(1).numpy(), atol=1e-5)
    assert arrays["label"].tolist() == label.tolist()
    assert (arrays["index"].tolist(), arrays["image_id"].tolist()) == (list(range(33)), list(range(60, 93)))
    assert arrays["classes"].tolist() == list(TEXTURES)


def test_predicting_twice_writes_each_image_once(tiny, classifier, make_trainer):
    trainer = make_trainer(PredictionWriter(), tensorboard=True)
    first = predicted(trainer, classifier, tiny())
    assert predicted(trainer, classifier, tiny()) == first
    assert len(first) == 34


def test_classes_called_as_other_columns_have_columns_of_their_own(make_trainer):
    names = ["label", "image_id", "=T-shirt, top"]
    data = HMixDataModule(NoMixed(), ThreeClasses(32, names=names), DemoMixes(images_per_pair=0), batch_size=16)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))
    header, *rows = predicted(make_trainer(PredictionWriter(), tensorboard=True), Classifier(network), data)
    assert header == ["image_id", "label", "p(label)", "p(image_id)", "'=T-shirt, top"]
    assert [row[1] for row in rows[:3]] == ["label", "image_id", "'=T-shirt, top"]

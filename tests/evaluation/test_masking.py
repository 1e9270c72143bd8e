import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import hml
from hml.cli import main
from hml.errors import InputError
from hml.evaluation.attack import input_gradient
from hml.evaluation.callbacks import FGSM
from hml.evaluation.masking import GradientMasking, MaskingMetrics
from hml.evaluation.per_image import read_per_image

FIGURES = ("zero_gradients", "fgsm32_cross_entropy", "fgsm64_cross_entropy", "pgd_cross_entropy", "pgd_accuracy")


def masking_of(logged):
    return {name: logged[f"test/{name}"] for name in FIGURES}


def test_checks_are_those_of_the_pure_functions(tiny, classifier, make_trainer, whole_split):
    data, masking = tiny(), GradientMasking(epsilon=0.02, num_images=20, steps=2, restarts=2)
    attack = FGSM(epsilon=0.02, num_images=20)
    (logged,) = make_trainer(masking, attack).test(classifier, datamodule=data, verbose=False)
    assert torch.equal(masking.metric.images, attack.metric.images)
    assert logged["test/fgsm32_cross_entropy"] == pytest.approx(logged["test/fgsm_cross_entropy"], abs=1e-9)
    assert logged["test/fgsm64_cross_entropy"] == pytest.approx(logged["test/fgsm_cross_entropy"], abs=1e-4)
    image, target, _, _ = whole_split(classifier, data.test_dataloader())
    drawn = masking.metric.images
    zeros = (input_gradient(classifier, image[drawn], target[drawn]) == 0).float().mean()
    assert logged["test/zero_gradients"] == pytest.approx(float(zeros), abs=1e-6)


def test_neither_batches_nor_runs_change_the_checked_images(tiny, classifier, make_trainer):
    results = []
    for batch_size in (5, 16):
        masking = GradientMasking(num_images=20, steps=2, restarts=2)
        data = tiny(batch_size=batch_size, seed=batch_size)
        (logged,) = make_trainer(masking).test(classifier, datamodule=data, verbose=False)
        results.append((masking.metric.images.tolist(), masking_of(logged)))
    assert results[0][0] == results[1][0]
    assert results[0][1] == pytest.approx(results[1][1], abs=1e-5)


def test_a_saturated_model_is_found_by_double_precision(tiny):
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    torch.manual_seed(0)
    nn.init.normal_(model[1].weight, std=20)
    data = tiny()
    with torch.no_grad():
        predicted = model(data.bank.images[data.bank.test_ids] / 255).argmax(1)
    data.bank.human[data.bank.test_ids] = torch.eye(10)[predicted]  # so that the loss is 0 everywhere
    figures = hml.evaluate(model, data, [GradientMasking(epsilon=0.5, steps=2, restarts=1)])
    assert figures["test/zero_gradients"] > 0.5
    assert figures["test/fgsm64_cross_entropy"] > figures["test/fgsm32_cross_entropy"] + 10
    assert model[1].weight.dtype == torch.float32


def test_options_out_of_range_are_rejected():
    for option in ({"epsilon": -0.1}, {"num_images": 0}, {"steps": 0}, {"restarts": 0}):
        with pytest.raises(InputError, match=f"{next(iter(option))}="):
            GradientMasking(**option)


def configs(*names):
    return [part for name in names for part in ("--config", name)]


@pytest.mark.usefixtures("without_drawing")
def test_the_overlay_adds_the_checks_to_other_callbacks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("earlier.yaml").write_text("trainer: {callbacks: [{class_path: LearningRateMonitor}]}\n")
    quick = ["--data.images.num_train", "60", "--data.images.num_test", "40", "--data.mixed.images_per_pair", "1"]
    quick += ["--trainer.max_epochs", "1", "--model.network.width", "1", "--calibration.bin_size", "10"]
    quick += ["--trainer.callbacks.num_images", "10", "--trainer.callbacks.steps", "2", "--run_folder", "run"]
    assert main(["fit", *configs("sep_conf", "demo", "earlier.yaml", "masking"), *quick]) == 0
    callbacks = yaml.safe_load(Path("run/config.yaml").read_text())["trainer"]["callbacks"]
    assert [part["class_path"].rpartition(".")[2] for part in callbacks] == ["LearningRateMonitor", "GradientMasking"]
    content = json.loads(Path("run/metrics.json").read_text())
    assert content["truth"].items() >= {f"test/{name}": truth for name, truth in MaskingMetrics.truth.items()}.items()
    ids, losses = read_per_image(Path("run")).find("test/pgd_cross_entropy")
    assert len(np.unique(ids)) == 10
    assert losses.mean() == pytest.approx(content["metrics"]["test/pgd_cross_entropy"], rel=2e-3)

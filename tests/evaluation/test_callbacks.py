import dataclasses
import math
import re
import warnings

import pytest
import torch
from torch import nn

from hml.data import DemoImages, DemoMixes, HMixDataModule
from hml.errors import InputError
from hml.evaluation import alignment
from hml.evaluation.attack import fgsm
from hml.evaluation.calibration import expected_calibration_error, rms_calibration_error
from hml.evaluation.callbacks import FGSM, Calibration, HumanAlignment
from hml.evaluation.temperature import cross_fit_temperature, fit_temperature, scale
from hml.judgements import CIFAR10
from hml.labels import NoMixed
from hml.models import PreActResNet18
from hml.training.classifier import Classifier
from tests.three_classes import ThreeClasses


def figures_of(callback, logged):
    """Return what was logged of a callback's figures in a test."""
    names = [f"test/{name}" for name in callback.metric.truth]
    return {name: logged[name] for name in names}


def test_alignment_is_computed_over_the_whole_test_set(tiny, classifier, make_trainer, whole_split):
    data = tiny()
    trainer = make_trainer(HumanAlignment())
    (logged,) = trainer.test(classifier, datamodule=data, verbose=False)
    _, target, label, logits = whole_split(classifier, data.test_dataloader())
    assert len(label) == 33
    assert figures_of(HumanAlignment(), logged) == pytest.approx(
        {
            "test/cross_entropy": float(alignment.soft_cross_entropy(logits, target)),
            "test/kl_divergence": float(alignment.kl_divergence(logits, target)),
            "test/brier_score": float(alignment.brier_score(logits, target)),
            "test/total_variation": float(alignment.total_variation(logits, target)),
            "test/entropy_correlation": float(alignment.entropy_correlation(logits, target)),
            "test/accuracy": float((logits.argmax(1) == label).float().mean()),
            "test/top2_accuracy": float(alignment.top_k_accuracy(logits, label, 2)),
            "test/human_accuracy": float((logits.argmax(1) == target.argmax(1)).float().mean()),
        },
        abs=1e-5,
    )


def test_calibration_is_computed_over_the_whole_test_set(tiny, classifier, make_trainer, whole_split):
    data = tiny()
    (logged,) = make_trainer(Calibration(10, 5)).test(classifier, datamodule=data, verbose=False)
    _, target, label, logits = whole_split(classifier, data.test_dataloader())
    confidence, prediction = logits.softmax(1).max(1)
    expected = {}
    for suffix, correct in (("", prediction == target.argmax(1)), ("_true", prediction == label)):
        expected |= {
            f"test/rms_calibration{suffix}": float(rms_calibration_error(confidence, correct, 10, "pixmix")),
            f"test/rms_calibration_full{suffix}": float(rms_calibration_error(confidence, correct, 10, "full")),
            f"test/ece{suffix}": float(expected_calibration_error(confidence, correct, 5)),
        }
    assert figures_of(Calibration(), logged) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("num_images", "attacked"), [(None, 33), (10, 10), (16, 16), (1, 1), (500, 33)])
def test_attack_is_of_as_many_images_as_asked(tiny, classifier, make_trainer, whole_split, num_images, attacked):
    data = tiny()
    callback = FGSM(epsilon=0.02, num_images=num_images)
    (logged,) = make_trainer(callback).test(classifier, datamodule=data, verbose=False)
    image, target, label, _ = whole_split(classifier, data.test_dataloader())
    drawn = callback.metric.gathered()["index"]
    assert len(drawn) == attacked
    adversarial = fgsm(classifier, image[drawn], target[drawn], 0.02)
    with torch.no_grad():
        logits = classifier(adversarial)
    assert figures_of(callback, logged) == pytest.approx(
        {
            "test/fgsm_cross_entropy": float(alignment.soft_cross_entropy(logits, target[drawn])),
            "test/fgsm_accuracy": float((logits.argmax(1) == label[drawn]).float().mean()),
        },
        abs=1e-5,
    )


def test_attacked_images_are_drawn_from_all_and_the_same_for_every_seed(tiny, classifier, make_trainer):
    def drawn(num_images, seed):
        callback = FGSM(num_images=num_images)
        make_trainer(callback).test(classifier, datamodule=tiny(seed=seed), verbose=False)
        return callback.metric.gathered()["index"].tolist()

    ten = drawn(10, seed=0)
    assert drawn(10, seed=5) == ten
    assert set(ten) < set(drawn(16, seed=0))
    assert max(ten) > 16  # the first ten are not more likely than others


@pytest.mark.parametrize("inference_mode", [True, False])
def test_attack_runs_in_full_precision_under_bf16(tiny, classifier, make_trainer, inference_mode):
    (full,) = make_trainer(FGSM()).test(classifier, datamodule=tiny(), verbose=False)
    trainer = make_trainer(FGSM(), precision="bf16-mixed", inference_mode=inference_mode)
    (mixed,) = trainer.test(classifier, datamodule=tiny(), verbose=False)
    assert mixed == pytest.approx(full, abs=1e-6)


class WithoutAttack(FGSM):
    def observe(self, module, batch, logits):
        self.metric.update(logits, batch["target"], batch["label"], batch["index"])


def test_attack_changes_neither_weights_nor_predictions(tiny, make_trainer):
    torch.manual_seed(0)
    classifier = Classifier(PreActResNet18(width=2))
    (alone,) = make_trainer(WithoutAttack()).test(classifier, datamodule=tiny(), verbose=False)
    before = {name: value.clone() for name, value in classifier.state_dict().items()}
    (beside,) = make_trainer(FGSM(), HumanAlignment()).test(classifier, datamodule=tiny(), verbose=False)
    assert figures_of(HumanAlignment(), beside) == figures_of(HumanAlignment(), alone)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert all(parameter.grad is None for parameter in classifier.parameters())


def test_testing_twice_gives_the_same(tiny, classifier, make_trainer):
    trainer = make_trainer(HumanAlignment(), Calibration(10), FGSM())
    first = trainer.test(classifier, datamodule=tiny(), verbose=False)
    assert trainer.test(classifier, datamodule=tiny(), verbose=False) == first


def test_validation_logs_under_its_own_name(tiny, classifier, make_trainer, whole_split):
    data = tiny(val_size=5)
    trainer = make_trainer(HumanAlignment(), Calibration(2), FGSM())
    (logged,) = trainer.validate(classifier, datamodule=data, verbose=False)
    image, target, label, logits = whole_split(classifier, data.val_dataloader())
    assert len(label) == 5
    assert logged["val/cross_entropy"] == pytest.approx(float(alignment.soft_cross_entropy(logits, target)), abs=1e-5)
    assert logged["val/accuracy"] == pytest.approx(float((logits.argmax(1) == label).float().mean()), abs=1e-6)
    with torch.no_grad():
        attacked = classifier(fgsm(classifier, image, target))
    expected = float(alignment.soft_cross_entropy(attacked, target))
    assert logged["val/fgsm_cross_entropy"] == pytest.approx(expected, abs=1e-5)
    assert {"val/rms_calibration_full", "val/ece", "val/loss"} <= set(logged)
    assert not any(name.startswith("test/") for name in logged)


def scaled_by_hand(classifier, whole_split, loader, choose, attack):
    """Compute the scaled figures with the temperatures that `choose` returns for logits and targets."""
    drawn = attack.metric.gathered()["index"]
    image, target, _, logits = whole_split(classifier, loader)
    temperature = choose(logits, target)
    scaled = scale(logits, temperature)
    confidence, prediction = scaled.softmax(1).max(1)
    correct = prediction == target.argmax(1)
    with torch.no_grad():
        attacked = scale(classifier(fgsm(classifier, image[drawn], target[drawn])), temperature[drawn])
    return {
        "temperature": float(temperature.mean()),
        "cross_entropy_scaled": float(alignment.soft_cross_entropy(scaled, target)),
        "rms_calibration_scaled": float(rms_calibration_error(confidence, correct, 2, "pixmix")),
        "rms_calibration_full_scaled": float(rms_calibration_error(confidence, correct, 2, "full")),
        "ece_scaled": float(expected_calibration_error(confidence, correct)),
        "fgsm_cross_entropy_scaled": float(alignment.soft_cross_entropy(attacked, target[drawn])),
    }


def cross_fit(logits, target):
    return cross_fit_temperature(logits, target, torch.arange(len(logits)))


def in_stage(stage, logged, names):
    return {name: logged[f"{stage}/{name}"] for name in names}


@pytest.fixture
def evaluations():
    return HumanAlignment(), Calibration(2), FGSM(num_images=10, num_pictures=0)


def test_scaled_figures_have_the_temperature_of_clean_images(tiny, classifier, make_trainer, whole_split, evaluations):
    data = tiny()
    classifier.adapt(data.bank)
    _, _, _, logits = whole_split(classifier, data.test_dataloader())
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(0))
    data.bank.human[data.bank.test_ids] = (2 * logits + noise).softmax(1)  # so that each half has a temperature
    (logged,) = make_trainer(*evaluations).test(classifier, datamodule=data, verbose=False)
    expected = scaled_by_hand(classifier, whole_split, data.test_dataloader(), cross_fit, evaluations[2])
    assert in_stage("test", logged, expected) == pytest.approx(expected, abs=1e-5)
    assert {name for name in logged if "scaled" in name} == {f"test/{name}" for name in expected} - {"test/temperature"}


class AskedAboutAll(DemoImages):
    """The demo's images, with labels that are not one-hot for training images either."""

    def load(self, data_dir):
        bank = super().load(data_dir)
        return dataclasses.replace(bank, human=0.9 * bank.human + 0.01)


def test_held_out_images_set_the_temperature_of_test_images(tiny, classifier, make_trainer, whole_split, evaluations):
    data = tiny(images=AskedAboutAll(60, 33), val_size=13)
    trainer = make_trainer(*evaluations)
    (logged,) = trainer.test(classifier, datamodule=data, verbose=False)
    _, target, _, logits = whole_split(classifier, data.val_dataloader())
    fitted = fit_temperature(logits, target)

    def fit(logits, _):
        return logits.new_full((len(logits),), fitted)

    expected = scaled_by_hand(classifier, whole_split, data.test_dataloader(), fit, evaluations[2])
    assert in_stage("test", logged, expected) == pytest.approx(expected, abs=1e-5)
    (logged,) = trainer.validate(classifier, datamodule=data, verbose=False)  # not fitted to the images that it scores
    expected = scaled_by_hand(classifier, whole_split, data.val_dataloader(), cross_fit, evaluations[2])
    assert in_stage("val", logged, expected) == pytest.approx(expected, abs=1e-5)


def test_held_out_images_without_peoples_labels_set_no_temperature(tiny, classifier, make_trainer, evaluations):
    (expected,) = make_trainer(*evaluations).test(classifier, datamodule=tiny(), verbose=False)
    (logged,) = make_trainer(*evaluations).test(classifier, datamodule=tiny(val_size=13), verbose=False)
    assert logged["test/temperature"] == pytest.approx(expected["test/temperature"], rel=1e-9)


def test_one_image_has_no_scaled_figures_and_the_reason(tiny, classifier, make_trainer):
    alignment_of_people = HumanAlignment()
    data = tiny(images=DemoImages(60, 1))
    (logged,) = make_trainer(alignment_of_people).test(classifier, datamodule=data, verbose=False)
    assert math.isnan(logged["test/temperature"])
    reason = "a temperature is fitted to other images, and there are none. Test two or more images"
    assert alignment_of_people.undefined["test/cross_entropy_scaled"] == reason


def test_validation_within_fit_logs_loss_and_accuracy_only(tiny, classifier, make_trainer):
    trainer = make_trainer(HumanAlignment(), Calibration(2), FGSM(), max_epochs=1)
    trainer.fit(classifier, datamodule=tiny(val_size=5))
    assert {name for name in trainer.callback_metrics if name.startswith("val/")} == {"val/loss", "val/accuracy"}


def test_figures_reach_tensorboard(tiny, classifier, make_trainer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whatever TensorBoard's reader imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trainer = make_trainer(Calibration(10), FGSM(num_pictures=3), tensorboard=True)
    trainer.test(classifier, datamodule=tiny(), verbose=False)
    events = EventAccumulator(trainer.log_dir).Reload()
    assert set(events.Tags()["images"]) == {"test/reliability", "test/fgsm"}
    assert {"test/ece", "test/fgsm_cross_entropy"} <= set(events.Tags()["scalars"])


def test_pictures_are_optional_and_as_many_as_asked(tiny, classifier, make_trainer):
    without, three = FGSM(num_pictures=0), FGSM(num_pictures=3)
    make_trainer(without, three).test(classifier, datamodule=tiny(), verbose=False)
    assert without.draw(CIFAR10) == {}
    assert len(three.draw(CIFAR10)["fgsm"].axes[0].images) == 9


@pytest.mark.parametrize(
    ("make", "option"),
    [
        (FGSM, {"epsilon": -1e-9}),
        (FGSM, {"num_images": 0}),
        (Calibration, {"bin_size": 0}),
        (Calibration, {"num_bins": 0}),
    ],
)
def test_options_out_of_range_are_rejected_at_once(make, option):
    with pytest.raises(InputError, match=next(iter(option))):
        make(**option)


def test_model_that_says_the_same_of_every_image_is_reported_too(tiny, make_trainer):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    nn.init.zeros_(network[1].weight)
    nn.init.zeros_(network[1].bias)
    (logged,) = make_trainer(HumanAlignment(), FGSM()).test(Classifier(network), datamodule=tiny(), verbose=False)
    assert logged["test/cross_entropy"] == pytest.approx(2.302585, abs=1e-6)
    assert logged["test/fgsm_cross_entropy"] == pytest.approx(2.302585, abs=1e-6)


def test_a_correlation_that_does_not_exist_has_its_reason(tiny, make_trainer):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    nn.init.zeros_(network[1].weight)
    alignment_of_people = HumanAlignment()
    (logged,) = make_trainer(alignment_of_people).test(Classifier(network), datamodule=tiny(), verbose=False)
    assert math.isnan(logged["test/entropy_correlation"])
    reason = "the entropy of the predictions, or of people's labels, is the same for all images"
    assert alignment_of_people.undefined == {"test/entropy_correlation": reason}


def test_reasons_are_forgotten_once_the_figure_exists(tiny, classifier, make_trainer, caplog):
    calibration = Calibration(20)
    make_trainer(calibration).test(classifier, datamodule=tiny(), verbose=False)
    assert "33 images fill fewer than two bins of 20" in caplog.text
    ends = ("", "_true", "_scaled")
    assert calibration.undefined.keys() == {f"test/rms_calibration{end}" for end in ends}
    calibration.metric.bin_size = 10
    make_trainer(calibration).test(classifier, datamodule=tiny(), verbose=False)
    assert calibration.undefined == {}


@pytest.mark.parametrize("make", [HumanAlignment, lambda: Calibration(10)], ids=["alignment", "calibration"])
def test_predictions_that_are_not_finite_are_the_reason_where_they_are(tiny, make_trainer, make):
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
    nn.init.constant_(network[1].weight, math.nan)
    callback = make()
    make_trainer(callback).test(Classifier(network), datamodule=tiny(), verbose=False)
    assert len(callback.undefined) > 3
    assert set(callback.undefined.values()) == {"the predictions aren't finite"}


def test_bins_that_fit_few_images_are_named_in_a_notice(tiny, classifier, make_trainer, caplog):
    calibration = Calibration()
    (logged,) = make_trainer(calibration).test(classifier, datamodule=tiny(), verbose=False)
    (notice,) = [record.getMessage() for record in caplog.records if record.name == "hml"]
    assert re.match("33 images are too few for bins of 100, the paper's size: .* bins of 3", notice)
    (same,) = make_trainer(Calibration(3)).test(classifier, datamodule=tiny(), verbose=False)
    assert caplog.text.count("too few") == 1
    assert logged == same
    assert math.isfinite(logged["test/rms_calibration"])
    ends = ("", "_full", "_true", "_full_true", "_scaled", "_full_scaled")
    assert calibration.bin_size == {f"test/rms_calibration{end}": 3 for end in ends}
    assert calibration.legend()["rms_calibration"].endswith("in bins of 3")


def test_true_classes_are_named_where_nobody_was_asked(make_trainer):
    images, nothing = ThreeClasses(32), DemoMixes(images_per_pair=0)
    data = HMixDataModule(NoMixed(), images, nothing, batch_size=16)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3072, 3))
    callbacks = [HumanAlignment(), Calibration(5), FGSM(num_pictures=0)]
    (logged,) = make_trainer(*callbacks).test(Classifier(network), datamodule=data, verbose=False)
    assert {truth for callback in callbacks for truth in callback.truth.values()} == {"true class"}
    texts = [text for callback in callbacks for text in callback.legend().values()]
    assert not any("people" in text for text in (*texts, *callbacks[0].undefined.values()))
    assert texts[0] == "cross entropy to the true class"
    assert callbacks[1].draw(data.bank.classes)["reliability"].axes[0].get_ylabel() == "accuracy against the true class"
    assert logged["test/ece"] == logged["test/ece_true"]
    assert logged["test/human_accuracy"] == logged["test/accuracy"]

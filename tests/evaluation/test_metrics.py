import json

import pytest
import torch
import torch.distributed as dist
from torchmetrics.classification import MulticlassCalibrationError

from hml.evaluation import alignment
from hml.evaluation.calibration import rms_calibration_error
from hml.evaluation.callbacks import Calibration
from hml.evaluation.metrics import (
    AttackedMetrics,
    CalibrationMetrics,
    GatheredPredictions,
    HumanAlignmentMetrics,
    TemperatureMetrics,
)
from hml.evaluation.temperature import fit_temperature
from hml.judgements import CIFAR10
from tests.processes import CONTEXT

METRICS = (HumanAlignmentMetrics, CalibrationMetrics, AttackedMetrics, TemperatureMetrics)
SIZES = (1, 2, 33, 37, 1001)


def predictions(n):
    generator = torch.Generator().manual_seed(n)
    logits = torch.randn(n, 10, generator=generator) * 2
    target = (torch.randn(n, 10, generator=generator) * 2).softmax(1)
    return logits, target, torch.randint(10, (n,), generator=generator), torch.arange(n)


def compute(metric, batches):
    metric.reset()
    for batch in batches:
        metric.update(*batch)
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.mark.parametrize("make", METRICS)
def test_batches_do_not_matter_to_the_last_digit(make):
    columns = predictions(350)
    whole = compute(make(), [columns])
    for size in (1, 7, 100, 349):
        cut = list(zip(*(column.split(size) for column in columns), strict=True))
        assert compute(make(), cut) == whole
        assert compute(make(), reversed(cut)) == whole
    shuffled = torch.randperm(350, generator=torch.Generator().manual_seed(0))
    assert compute(make(), [[column[shuffled] for column in columns]]) == whole


def test_gathered_predictions_come_in_the_order_of_the_data_set():
    columns = predictions(50)
    metric = GatheredPredictions()
    metric.update(*(column.flip(0) for column in columns))
    for name, column in zip(("logits", "target", "label", "index"), columns, strict=True):
        assert torch.equal(metric.compute()[name], column)


def test_alignment_is_the_pure_functions_over_everything():
    logits, target, label, index = predictions(120)
    actual = compute(HumanAlignmentMetrics(), [(logits, target, label, index)])
    logits, target = logits.double(), target.double()
    assert actual == {
        "cross_entropy": float(alignment.soft_cross_entropy(logits, target)),
        "kl_divergence": float(alignment.kl_divergence(logits, target)),
        "brier_score": float(alignment.brier_score(logits, target)),
        "total_variation": float(alignment.total_variation(logits, target)),
        "entropy_correlation": float(alignment.entropy_correlation(logits, target)),
        "accuracy": float((logits.argmax(1) == label).double().mean()),
        "top2_accuracy": float(alignment.top_k_accuracy(logits, label, 2)),
        "human_accuracy": float((logits.argmax(1) == target.argmax(1)).double().mean()),
    }


@pytest.mark.parametrize("make", METRICS)
def test_reset_forgets_everything(make):
    metric = make()
    compute(metric, [predictions(500)])
    assert compute(metric, [predictions(220)]) == compute(make(), [predictions(220)])


def test_right_is_what_most_people_say_or_the_true_class():
    logits, target = torch.tensor([[2.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.4, 0.6], [0.4, 0.6]])
    metric = CalibrationMetrics(bin_size=1, num_bins=1)
    metric.update(logits, target, torch.tensor([0, 0]), torch.arange(2))
    confidence, by_majority, by_class = metric.confidence_and_correct()
    assert by_majority.tolist() == [False, True]
    assert by_class.tolist() == [True, False]
    metric.update(logits[:1], target[:1], torch.tensor([0]), torch.tensor([2]))
    values, sure = metric.compute(), float(confidence[0])  # of three, most people say one, and two are of class 0
    assert float(values["ece"]) == pytest.approx(sure - 1 / 3)
    assert float(values["ece_true"]) == pytest.approx(sure - 2 / 3)


def test_calibration_against_either_truth_equals_torchmetrics():
    rng = torch.Generator().manual_seed(5)
    for n in (1, 40, 700):
        logits, target, _, index = predictions(n)
        label = torch.where(torch.rand(n, generator=rng) < 0.7, logits.argmax(1), target.argmax(1))
        metric = CalibrationMetrics(bin_size=10)
        metric.update(logits, target, label, index)
        values = metric.compute()
        for name, truth in (("ece", target.argmax(1)), ("ece_true", label)):
            theirs = MulticlassCalibrationError(num_classes=10, n_bins=15, norm="l1")
            expected = float(theirs(logits.double().softmax(1), truth))
            assert float(values[name]) == pytest.approx(expected, abs=1e-6)


def test_rms_against_the_true_class_is_that_of_its_own_successes():
    logits, target, label, index = predictions(350)
    metric = CalibrationMetrics(bin_size=30)
    metric.update(logits, target, label, index)
    values = metric.compute()
    confidence, prediction = logits.double().softmax(1).max(1)
    for mode, name in (("pixmix", "rms_calibration"), ("full", "rms_calibration_full")):
        for truth, suffix in ((target.argmax(1), ""), (label, "_true")):
            expected = rms_calibration_error(confidence, prediction == truth, 30, mode)
            assert float(values[name + suffix]) == float(expected)
    assert float(values["rms_calibration"]) != float(values["rms_calibration_true"])


@pytest.mark.parametrize("make", METRICS)
def test_every_figure_says_what_it_is_compared_with(make):
    values = compute(make(), [predictions(250)])
    assert make.truth.keys() == values.keys()
    assert set(make.truth.values()) <= {"people's labels", "people's majority", "true class"}


def _share(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    results = {}
    for n in SIZES:
        columns = [column[rank::2] for column in predictions(n)]
        for make in METRICS:
            kwargs = {"bin_size": 10} if make is CalibrationMetrics else {}
            results[f"{make.__name__} {n}"] = compute(make(**kwargs), [columns])
    temperature = TemperatureMetrics()
    temperature.uses_held_out = True
    temperature.held_out.update(*(column[rank::2] for column in predictions(37)))
    results["held out"] = compute(temperature, [[column[rank::2] for column in predictions(33)]])
    calibration = Calibration()
    calibration.metric.update(*(column[rank::2] for column in predictions(33)))
    calibration.metric.compute()
    results["drawn"] = calibration.draw(CIFAR10)["reliability"].axes[0].get_title()
    results["images"] = calibration.metric.images.tolist()
    results["values"] = calibration.metric.per_image["rms_calibration"].tolist()
    (folder / f"{rank}.json").write_text(json.dumps(results))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gloo")
    ranks = [CONTEXT.Process(target=_share, args=(rank, folder)) for rank in range(2)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(300)
    assert [process.exitcode for process in ranks] == [0, 0]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("make", METRICS)
def test_two_processes_get_every_number_of_one(two_processes, make, n):
    one = compute(make(**({"bin_size": 10} if make is CalibrationMetrics else {})), [predictions(n)])
    for rank in range(2):
        assert two_processes[rank][f"{make.__name__} {n}"] == pytest.approx(one, abs=1e-6, nan_ok=True)


def test_every_rank_has_the_values_of_all_images(two_processes):
    one = Calibration().metric
    compute(one, [predictions(33)])
    for results in two_processes:
        assert results["images"] == list(range(33))
        assert results["values"] == pytest.approx(one.per_image["rms_calibration"].tolist(), abs=1e-6)


def test_every_rank_fits_the_temperature_to_all_held_out_images(two_processes):
    logits, target, *_ = predictions(37)
    expected = pytest.approx(fit_temperature(logits, target))
    assert [results["held out"]["temperature"] for results in two_processes] == [expected] * 2


def test_every_rank_draws_all_predictions(two_processes):
    assert [results["drawn"] for results in two_processes] == ["Reliability, n = 33"] * 2

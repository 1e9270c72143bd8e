import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error, multiclass_calibration_error

from hml.errors import InputError
from hml.evaluation.calibration import (
    choose_bin_size,
    equal_width_bin,
    expected_calibration_error,
    rms_calibration_error,
)


def naive_rms(confidence, correct, bin_size, mode):
    """Compute the error as PixMix's description has it, one bin after another."""
    order = sorted(range(len(confidence)), key=lambda i: confidence[i])
    bins = [order[start : start + bin_size] for start in range(0, len(order), bin_size)]
    if len(bins) > 1 and len(bins[-1]) < bin_size:
        leftover = bins.pop()
        bins[-1] = bins[-1] + leftover
    if mode == "pixmix":
        bins = bins[:-1]
    if not bins:
        return np.nan
    total = 0.0
    for b in bins:
        gap = np.mean([confidence[i] for i in b]) - np.mean([correct[i] for i in b])
        total += len(b) / len(confidence) * gap**2
    return np.sqrt(total)


def random_predictions(rng, n):
    confidence = torch.from_numpy(rng.uniform(0.1, 1, n))
    return confidence, torch.from_numpy(rng.random(n) < confidence.numpy())


@pytest.mark.parametrize("mode", ["pixmix", "full"])
def test_rms_equals_a_plain_loop(mode):
    rng = np.random.default_rng(0)
    for case in range(200):
        n, bin_size = int(rng.integers(0, 500)), 100 if case % 2 else int(rng.integers(1, 60))
        confidence, correct = random_predictions(rng, n)
        expected = naive_rms(confidence.tolist(), correct.tolist(), bin_size, mode)
        actual = float(rms_calibration_error(confidence, correct, bin_size, mode))
        assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("mode", ["pixmix", "full"])
@pytest.mark.parametrize("n", [99, 100, 101, 199, 200, 201, 299, 300, 3000])
def test_rms_equals_a_plain_loop_around_multiples_of_the_bin(n, mode):
    confidence, correct = random_predictions(np.random.default_rng(n), n)
    expected = naive_rms(confidence.tolist(), correct.tolist(), 100, mode)
    actual = float(rms_calibration_error(confidence, correct, 100, mode))
    assert actual == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_rms_by_hand():
    confidence = torch.tensor([0.9, 0.5, 0.7, 0.3, 1.0]).double()  # sorted .3 .5 | .7 .9 1.0: the leftover joins
    correct = torch.tensor([True, True, False, False, True])
    first = (0.4 - 0.5) ** 2 * 2 / 5
    last = (2.6 / 3 - 2 / 3) ** 2 * 3 / 5
    assert float(rms_calibration_error(confidence, correct, 2, "full")) == pytest.approx((first + last) ** 0.5)
    assert float(rms_calibration_error(confidence, correct, 2, "pixmix")) == pytest.approx(first**0.5)


def test_fewer_predictions_than_a_bin_are_one_bin_in_full_and_none_in_pixmix():
    confidence, correct = torch.tensor([0.6, 0.8]), torch.tensor([1, 0])
    assert float(rms_calibration_error(confidence, correct, mode="full")) == pytest.approx(0.2)
    assert rms_calibration_error(confidence, correct, mode="pixmix").isnan()


@pytest.mark.parametrize("mode", ["pixmix", "full"])
def test_no_predictions_give_nan(mode):
    assert rms_calibration_error(torch.empty(0), torch.empty(0), mode=mode).isnan()
    assert expected_calibration_error(torch.empty(0), torch.empty(0)).isnan()


def test_ties_stay_in_the_order_they_came_in():
    correct = torch.tensor([1, 1, 0, 0])
    assert float(rms_calibration_error(torch.full((4,), 0.5), correct, 2, "full")) == 0.5
    assert float(rms_calibration_error(torch.full((4,), 0.5), correct[[0, 2, 1, 3]], 2, "full")) == 0


@pytest.mark.parametrize("confidence", [1.0, 0.5])
def test_perfect_calibration_is_zero(confidence):
    correct = torch.arange(400) % 2 == 0 if confidence == 0.5 else torch.ones(400)
    confidences = torch.full((400,), confidence)
    assert float(rms_calibration_error(confidences, correct)) == 0
    assert float(rms_calibration_error(confidences, correct, mode="full")) == 0
    assert float(expected_calibration_error(confidences, correct)) == 0


def test_always_sure_and_always_wrong_is_one():
    assert float(rms_calibration_error(torch.ones(250), torch.zeros(250), mode="full")) == 1
    assert float(expected_calibration_error(torch.ones(250), torch.zeros(250))) == 1


def test_order_of_predictions_does_not_matter():
    rng = np.random.default_rng(0)
    confidence, correct = random_predictions(rng, 350)
    shuffled = torch.from_numpy(rng.permutation(350))
    for mode in ("pixmix", "full"):
        assert torch.equal(
            rms_calibration_error(confidence, correct, mode=mode),
            rms_calibration_error(confidence[shuffled], correct[shuffled], mode=mode),
        )


@pytest.mark.parametrize("bin_size", [0, -1])
def test_a_bin_of_no_predictions_is_rejected(bin_size):
    with pytest.raises(InputError, match="bin_size"):
        rms_calibration_error(torch.ones(3), torch.ones(3), bin_size)


@pytest.mark.parametrize("shapes", [((3,), (2,)), ((3, 1), (3, 1)), ((3,), (3, 1))])
def test_shapes_that_differ_are_rejected(shapes):
    with pytest.raises(InputError, match=r"must both be \(N,\)"):
        rms_calibration_error(*(torch.ones(shape) for shape in shapes))


def test_ece_equals_torchmetrics():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, num_bins = int(rng.integers(1, 300)), int(rng.integers(2, 31))
        probabilities = torch.from_numpy(rng.dirichlet(np.full(5, 0.5), n))
        target = torch.from_numpy(rng.integers(0, 5, n))
        confidence, prediction = probabilities.max(1)
        theirs = multiclass_calibration_error(probabilities, target, num_classes=5, n_bins=num_bins, norm="l1")
        ours = expected_calibration_error(confidence, prediction == target, num_bins)
        assert float(ours) == pytest.approx(float(theirs), abs=1e-6)
        theirs = binary_calibration_error(confidence, (prediction == target).long(), n_bins=num_bins, norm="l1")
        assert float(ours) == pytest.approx(float(theirs), abs=1e-6)


def test_ece_by_hand_keeps_confidence_one_in_the_last_bin():
    confidence, correct = torch.tensor([0.9, 1.0, 0.2]), torch.tensor([1, 0, 0])
    # The last of two bins holds .9 and 1: |.95 − .5| · 2/3; the first .2: |.2 − 0| · 1/3.
    assert float(expected_calibration_error(confidence, correct, 2)) == pytest.approx(0.3 + 0.2 / 3)


def test_bins_of_equal_width_include_their_upper_edge():
    assert equal_width_bin(torch.tensor([0.0, 0.25, 0.26, 0.5, 0.75, 0.76, 1.0]), 4).tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert equal_width_bin(torch.tensor([0.0, 0.5, 1.0]), 1).tolist() == [0, 0, 0]


def test_bins_fit_the_number_of_predictions():
    sizes = {1: 1, 2: 1, 19: 1, 20: 2, 199: 19, 200: 100, 500: 100, 3000: 100}
    assert {total: choose_bin_size(total) for total in sizes} == sizes
    for total in range(2, 420):
        error = rms_calibration_error(torch.linspace(0.5, 1, total), torch.ones(total), choose_bin_size(total))
        assert bool(error.isfinite())

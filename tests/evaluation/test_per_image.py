import numpy as np
import pytest
import torch

from hml.errors import InputError
from hml.evaluation.alignment import entropy_correlation
from hml.evaluation.calibration import expected_calibration_error, rms_calibration_error
from hml.evaluation.metrics import AttackedMetrics, CalibrationMetrics, HumanAlignmentMetrics
from hml.evaluation.per_image import PerImage, read_per_image, write_per_image

IDS = torch.tensor([70, 71, 90])


def test_a_file_is_read_as_it_was_written(tmp_path):
    accuracy, attacked = torch.tensor([1.0, 0.0, 1.0]), torch.tensor([2.5])
    values = {"test/accuracy": (torch.arange(3), accuracy), "test/fgsm_cross_entropy": (torch.tensor([1]), attacked)}
    write_per_image(tmp_path, PerImage.of({"test": IDS, "val": IDS[:0]}, values))
    found = read_per_image(tmp_path)
    assert list(found.images) == ["test"]
    assert [part.tolist() for part in found.find("test/accuracy")] == [[70, 71, 90], [1.0, 0.0, 1.0]]
    assert [part.tolist() for part in found.find("test/fgsm_cross_entropy")] == [[71], [2.5]], "one was attacked"
    assert found.find("test/loss") is None


def test_values_too_large_for_half_precision_keep_their_size():
    large = torch.tensor([1e5, float("inf"), 0.1])
    _, found = PerImage.of({"test": IDS}, {"test/cross_entropy": (torch.arange(3), large)}).find("test/cross_entropy")
    assert found.tolist() == [1e5, float("inf"), pytest.approx(0.1)]


def test_a_run_of_an_earlier_version_has_no_file(tmp_path):
    assert read_per_image(tmp_path) is None


@pytest.mark.parametrize("damage", [lambda content: content[:-30], lambda content: b"", lambda content: b"no zip file"])
def test_a_damaged_file_is_rejected_with_what_to_do(tmp_path, damage):
    write_per_image(tmp_path, PerImage.of({"test": IDS}, {"test/accuracy": (torch.arange(3), torch.ones(3))}))
    path = tmp_path / "per_image.npz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=r"per_image\.npz can't be read: .*Move it away"):
        read_per_image(tmp_path)


def test_arrays_of_different_lengths_are_rejected(tmp_path):
    np.savez(tmp_path / "per_image.npz", **{"test/image_id": np.arange(3), "test/accuracy": np.ones(2)})
    with pytest.raises(InputError, match="its arrays have different lengths"):
        read_per_image(tmp_path)


@pytest.mark.parametrize("make", [HumanAlignmentMetrics, CalibrationMetrics, AttackedMetrics])
def test_every_figure_is_the_mean_of_its_values(make):
    logits, target, label = torch.randn(250, 10), torch.randn(250, 10).softmax(1), torch.randint(10, (250,))
    metric = make()
    metric.update(logits, target, label, torch.arange(250))
    figures = {name: float(value) for name, value in metric.compute().items()}
    assert {name: float(values.mean()) for name, values in metric.per_image.items()} == pytest.approx(figures, rel=1e-5)
    assert metric.images.tolist() == list(range(250))


def simulate(seed, n=600):
    """Confidences and successes of a model that is overconfident by a quarter."""
    rng = torch.Generator().manual_seed(seed)
    confidence = 0.3 + 0.7 * torch.rand(n, generator=rng, dtype=torch.float64) ** 0.5
    return confidence, torch.rand(n, generator=rng) < 0.75 * confidence


def simulate_entropies(seed, n=600):
    """Logits and targets whose entropies correlate."""
    rng = torch.Generator().manual_seed(seed)
    sure = torch.rand(n, 1, generator=rng)
    logits, target = (6 * sure * torch.randn(n, 5, generator=rng, dtype=torch.float64) for _ in range(2))
    return logits, target.softmax(1)


@pytest.mark.parametrize(
    ("function", "draw"),
    [
        (rms_calibration_error, simulate),
        (expected_calibration_error, simulate),
        (entropy_correlation, simulate_entropies),
    ],
)
def test_the_values_variance_is_that_of_the_figure_over_images(function, draw):
    figures = [float(function(*draw(seed))) for seed in range(300)]
    errors = [float(function(*draw(seed), reduction="none").std()) / 600**0.5 for seed in range(20)]
    # A standard deviation of 300 figures has itself a standard error of 4 %.
    assert np.mean(errors) == pytest.approx(np.std(figures), rel=0.2)


def test_influence_is_the_derivative_by_a_predictions_weight():
    confidence, correct = simulate(0, 60)
    values = expected_calibration_error(confidence, correct, reduction="none")
    figure, copies = expected_calibration_error(confidence, correct), 1000
    for place in (0, 17, 59):
        more = [torch.cat([column.repeat(copies), column[place : place + 1]]) for column in (confidence, correct)]
        change = (expected_calibration_error(*more) - figure) * (copies * 60 + 1)
        assert float(values[place] - figure) == pytest.approx(float(change), rel=1e-3)


def test_an_error_of_zero_has_no_influences():
    confidence, correct = torch.tensor([0.0, 1.0]), torch.tensor([False, True])
    assert rms_calibration_error(confidence, correct, 1, "full", "none").isnan().all()
    assert rms_calibration_error(confidence, correct, 2, "pixmix", "none").tolist() == pytest.approx(
        [float("nan")] * 2, nan_ok=True
    )

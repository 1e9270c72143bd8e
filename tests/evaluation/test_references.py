"""Every figure against a second implementation: exact sums one after another, and others' code; and what must hold."""

import math

import numpy as np
import pytest
import sklearn.metrics
import torch
import torchmetrics.functional as theirs

from hml.evaluation.alignment import (
    brier_score,
    entropy_correlation,
    kl_divergence,
    soft_cross_entropy,
    top_k_accuracy,
    total_variation,
)
from hml.evaluation.calibration import expected_calibration_error, rms_calibration_error

ALIGNMENT = (soft_cross_entropy, kl_divergence, brier_score, total_variation, entropy_correlation)


def cases():
    rng = np.random.default_rng(3)
    for _ in range(200):
        n, c = int(rng.integers(3, 60)), int(rng.integers(3, 12))
        yield torch.from_numpy(rng.normal(0, 4, (n, c))), torch.from_numpy(rng.dirichlet(np.full(c, 0.4), n))


def mean(values):
    values = list(values)
    return math.fsum(values) / len(values)


def log_softmax(row):
    largest = max(row)
    total = math.log(math.fsum(math.exp(z - largest) for z in row))
    return [z - largest - total for z in row]


def entropy(row):
    return -math.fsum(p * math.log(p) for p in row if p)


def test_alignment_equals_exact_sums():
    for logits, target in cases():
        logs, rows = [log_softmax(row) for row in logits.tolist()], target.tolist()
        pairs = [(log_p, t) for log_p, t in zip(logs, rows, strict=True)]
        cross = mean(-math.fsum(t * p for p, t in zip(*pair, strict=True)) for pair in pairs)
        expected = {
            soft_cross_entropy: cross,
            kl_divergence: cross - mean(map(entropy, rows)),
            brier_score: mean(math.fsum((math.exp(p) - t) ** 2 for p, t in zip(*pair, strict=True)) for pair in pairs),
            total_variation: mean(
                math.fsum(abs(math.exp(p) - t) for p, t in zip(*pair, strict=True)) / 2 for pair in pairs
            ),
        }
        for measure, value in expected.items():
            assert float(measure(logits, target)) == pytest.approx(value, rel=1e-12, abs=1e-12)
            assert float(measure(logits.float(), target.float())) == pytest.approx(value, rel=1e-5, abs=1e-6)


def test_alignment_equals_torchmetrics_and_sklearn():
    for logits, target in cases():
        p = logits.softmax(1)
        close = {"abs": 1e-6, "rel": 1e-6}
        assert float(kl_divergence(logits, target)) == pytest.approx(float(theirs.kl_divergence(target, p)), **close)
        squares = theirs.mean_squared_error(p, target, num_outputs=p.shape[1]).sum()
        assert float(brier_score(logits, target)) == pytest.approx(float(squares), **close)
        distances = sklearn.metrics.pairwise.paired_manhattan_distances(p, target).mean() / 2
        assert float(total_variation(logits, target)) == pytest.approx(distances, **close)
        entropies = [torch.tensor([entropy(row) for row in rows.tolist()]) for rows in (p, target)]
        correlation = float(theirs.pearson_corrcoef(*(values.double() for values in entropies)))
        assert float(entropy_correlation(logits, target)) == pytest.approx(correlation, abs=1e-6)
        label = target.argmax(1)
        for k in (1, 2):
            accuracy = theirs.classification.multiclass_accuracy(p, label, p.shape[1], average="micro", top_k=k)
            assert float(top_k_accuracy(logits, label, k)) == pytest.approx(float(accuracy), **close)


def pixmix_rms(confidence, correct, beta, last):
    """Compute as PixMix's `calib_err` does: sorted by confidence, bins [i·β, (i+1)·β), what is left in the last."""
    order = np.argsort(confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    bins = [[i * beta, (i + 1) * beta] for i in range(max(1, len(confidence) // beta))]
    bins[-1][1] = len(confidence)
    error = 0.0
    for start, end in bins[: None if last else -1]:
        gap = np.nanmean(confidence[start:end]) - np.nanmean(correct[start:end])
        error += (end - start) / len(confidence) * gap**2
    return math.sqrt(error)


def ece_exactly(confidence, correct, num_bins):
    edges = np.linspace(0, 1, num_bins + 1)
    gaps = [0.0] * num_bins
    for c, right in zip(confidence.tolist(), correct.tolist(), strict=True):
        gaps[next(b for b in range(num_bins) if c <= edges[b + 1])] += c - right
    return math.fsum(map(abs, gaps)) / len(confidence)


def test_calibration_equals_pixmixs_own_steps_and_exact_sums():
    rng = np.random.default_rng(4)
    for _ in range(200):
        n, beta = int(rng.integers(40, 400)), int(rng.integers(3, 20))
        confidence, correct = rng.uniform(0.1, 1, n), rng.integers(0, 2, n).astype(float)
        given = torch.from_numpy(confidence), torch.from_numpy(correct)
        for mode, last in (("pixmix", False), ("full", True)):
            expected = pixmix_rms(confidence, correct, beta, last)
            assert float(rms_calibration_error(*given, beta, mode)) == pytest.approx(expected, abs=1e-12)
        assert float(expected_calibration_error(*given, 15)) == pytest.approx(
            ece_exactly(confidence, correct, 15), abs=1e-12
        )


def test_neither_order_nor_duplication_changes_a_figure():
    rng = np.random.default_rng(5)
    for logits, target in cases():
        shuffled = torch.from_numpy(rng.permutation(len(logits)))
        for measure in ALIGNMENT:
            value = pytest.approx(float(measure(logits, target)), rel=1e-12, abs=1e-12, nan_ok=True)
            assert float(measure(logits[shuffled], target[shuffled])) == value
            assert float(measure(logits.repeat(2, 1), target.repeat(2, 1))) == value
        confidence, correct = logits.softmax(1).amax(1), target.amax(1) > 0.5
        value = pytest.approx(float(expected_calibration_error(confidence, correct)), abs=1e-12)
        assert float(expected_calibration_error(confidence[shuffled], correct[shuffled])) == value
        assert float(expected_calibration_error(confidence.repeat(2), correct.repeat(2))) == value
        # Twice as many predictions in bins of twice the size; copies stand beside each other once sorted.
        for mode in ("pixmix", "full"):
            value = pytest.approx(float(rms_calibration_error(confidence, correct, 2, mode)), abs=1e-12, nan_ok=True)
            assert float(rms_calibration_error(confidence[shuffled], correct[shuffled], 2, mode)) == value
            twice = confidence.repeat_interleave(2), correct.repeat_interleave(2)
            if len(confidence) % 2 == 0:
                assert float(rms_calibration_error(*twice, 4, mode)) == value

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
from scipy.spatial.distance import cdist
from torch.nn.functional import one_hot

from hml.evaluation.alignment import (
    brier_score,
    entropy,
    entropy_correlation,
    kl_divergence,
    soft_cross_entropy,
    top_k_accuracy,
    total_variation,
)


def random_cases():
    """Yield 200 pairs of logits and distributions, many of which hold zeros."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        n, c = int(rng.integers(2, 40)), int(rng.integers(2, 12))
        target = rng.dirichlet(np.full(c, 0.3), n)
        target[rng.random(n) < 0.3] = np.eye(c)[0]
        yield torch.from_numpy(rng.normal(0, 5, (n, c))), torch.from_numpy(target)


def close(actual, expected):
    assert float(actual) == pytest.approx(float(expected), rel=1e-12, abs=1e-12)


def test_two_classes_by_hand():
    logits = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)
    target = torch.tensor([[0.25, 0.75]], dtype=torch.float64)
    close(soft_cross_entropy(logits, target), -0.25 * math.log(0.75) - 0.75 * math.log(0.25))
    close(kl_divergence(logits, target), 0.25 * math.log(1 / 3) + 0.75 * math.log(3))
    close(brier_score(logits, target), 0.5)
    close(total_variation(logits, target), 0.5)


def test_random_cases_equal_scipy():
    for logits, target in random_cases():
        p, t = scipy.special.softmax(logits.numpy(), axis=1), target.numpy()
        cross_entropy = -(t * scipy.special.log_softmax(logits.numpy(), axis=1)).sum(1).mean()
        close(soft_cross_entropy(logits, target), cross_entropy)
        close(kl_divergence(logits, target), scipy.stats.entropy(t, p, axis=1).mean())
        close(brier_score(logits, target), ((p - t) ** 2).sum(1).mean())
        close(total_variation(logits, target), cdist(p, t, "cityblock").diagonal().mean() / 2)
        np.testing.assert_allclose(entropy(target), scipy.stats.entropy(t, axis=1), atol=1e-12)
        ours = float(entropy_correlation(logits, target))
        if np.ptp(scipy.stats.entropy(t, axis=1)) > 1e-9:
            theirs = np.corrcoef(scipy.stats.entropy(p, axis=1), scipy.stats.entropy(t, axis=1))[0, 1]
            assert ours == pytest.approx(theirs, abs=1e-10)


def test_one_hot_targets_equal_sklearn():
    generator = torch.Generator().manual_seed(0)
    for c in range(3, 13):
        logits = torch.randn(50, c, generator=generator, dtype=torch.float64)
        label = torch.randint(c, (50,), generator=generator)
        probabilities, labels = logits.softmax(1).numpy(), range(c)
        close(
            soft_cross_entropy(logits, one_hot(label, c).double()),
            sklearn.metrics.log_loss(label, probabilities, labels=labels),
        )
        for k in (1, 2, c - 1):
            close(
                top_k_accuracy(logits, label, k),
                sklearn.metrics.top_k_accuracy_score(label, probabilities, k=k, labels=labels),
            )


@pytest.mark.parametrize("measure", [soft_cross_entropy, kl_divergence, brier_score, total_variation])
def test_certain_and_right_costs_nothing(measure):
    logits = torch.tensor([[1000.0, 0.0, -1000.0]]).double()  # probabilities that underflow to 0
    assert float(measure(logits, torch.tensor([[1.0, 0.0, 0.0]]).double())) == 0


def test_zero_times_log_zero_is_zero():
    assert entropy(torch.eye(3)).tolist() == [0, 0, 0]


def test_furthest_distributions_are_two_and_one_apart():
    logits, target = torch.tensor([[1000.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    assert float(brier_score(logits, target)) == 2
    assert float(total_variation(logits, target)) == 1


def test_correlation_is_nan_where_people_are_always_certain():
    generator = torch.Generator().manual_seed(0)
    assert entropy_correlation(torch.randn(9, 10, generator=generator), torch.eye(10)[:9]).isnan()


@pytest.mark.parametrize("n", [1, 2, 3, 33, 100, 3000])
def test_correlation_is_nan_where_the_model_says_the_same_of_every_image(n):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 10, generator=generator, dtype=torch.float64).expand(n, 10)
    target = torch.rand(n, 10, generator=generator, dtype=torch.float64).softmax(1)
    assert entropy_correlation(logits, target).isnan()


def test_correlation_of_a_perfect_model_is_one():
    target = torch.rand(20, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64).softmax(1)
    close(entropy_correlation(target.log(), target), 1)


def test_the_label_is_always_among_as_many_classes_as_there_are():
    assert top_k_accuracy(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 0]), k=2) == 1
    assert top_k_accuracy(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([0, 0]), k=3) == 1

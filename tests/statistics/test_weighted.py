import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hml.statistics import weighted


def make(seed=0, n=80, replicates=7):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (replicates, n)).astype(float)
    x = rng.normal(size=n)
    return weights, x, 0.6 * x + rng.normal(size=n), rng.integers(0, 5, n)


@given(st.integers(0, 1000))
def test_weighted_statistics_equal_those_of_rows_repeated(seed):
    weights, x, y, cell = make(seed)
    means, correlations = weighted.mean(weights, x), weighted.correlation(weights, x, y)
    cells = weighted.cell_means(weights, cell, x, 5)
    for r, own in enumerate(weights.astype(int)):
        many = np.repeat(x, own)
        assert means[r] == pytest.approx(many.mean())
        assert correlations[r] == pytest.approx(stats.pearsonr(many, np.repeat(y, own)).statistic)
        for c in range(5):
            inside = np.repeat(x[cell == c], own[cell == c])
            assert cells[r, c] == pytest.approx(inside.mean() if len(inside) else np.nan, nan_ok=True)


def test_statistics_of_rows_leave_out_what_is_missing():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 4, 30))
    x[rng.random((4, 30)) < 0.3] = np.nan
    x[3] = np.nan
    ones = np.ones((4, 30))
    correlations, means = weighted.correlation(ones, x, y), weighted.mean(ones, x)
    for r in range(3):
        there = np.isfinite(x[r])
        assert correlations[r] == pytest.approx(stats.pearsonr(x[r, there], y[r, there]).statistic)
        assert means[r] == pytest.approx(x[r, there].mean())
    assert np.isnan(correlations[3])
    assert np.isnan(means[3])


def test_correlation_with_a_constant_is_not_a_number():
    assert np.isnan(weighted.correlation(np.ones((1, 5)), np.full(5, 0.3), np.arange(5.0)))[0]


def test_nobody_has_no_mean():
    assert np.isnan(weighted.mean(np.zeros((1, 2)), np.array([1.0, 2.0])))[0]

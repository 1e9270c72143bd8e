import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hml.statistics import weighted


def make(seed=0, people=6, n=80, replicates=7):
    rng = np.random.default_rng(seed)
    weights = rng.integers(0, 4, (replicates, people)).astype(float)
    weights[:, 0] += 1
    person, x = rng.integers(0, people, n), rng.normal(size=n)
    return weights, person, x, 0.6 * x + rng.normal(size=n), rng.integers(0, 5, n)


def repeated(values, weights, person):
    """Values as often as their person was drawn."""
    return np.repeat(values, weights[person].astype(int))


@given(st.integers(0, 1000))
def test_weighted_statistics_equal_those_of_rows_repeated(seed):
    weights, person, x, y, cell = make(seed)
    means, correlations = weighted.mean(weights, person, x), weighted.correlation(weights, person, x, y)
    cells = weighted.cell_means(weights, person, cell, x, 5)
    quantiles = weighted.weighted_quantiles(x, weights[:, person], 0.3)
    for r, own in enumerate(weights):
        many = repeated(x, own, person)
        assert means[r] == pytest.approx(many.mean())
        assert correlations[r] == pytest.approx(stats.pearsonr(many, repeated(y, own, person)).statistic)
        assert quantiles[r] == pytest.approx(np.quantile(many, 0.3))
        for c in range(5):
            inside = repeated(x[cell == c], own, person[cell == c])
            assert cells[r, c] == pytest.approx(inside.mean() if len(inside) else np.nan, nan_ok=True)


def test_row_statistics_leave_out_what_is_missing():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 4, 30))
    x[rng.random((4, 30)) < 0.3] = np.nan
    x[3] = np.nan
    correlations, quantiles = weighted.row_correlation(x, y), weighted.row_quantiles(x, 0.75)
    for r in range(3):
        there = np.isfinite(x[r])
        assert correlations[r] == pytest.approx(stats.pearsonr(x[r, there], y[r, there]).statistic)
        assert quantiles[r] == pytest.approx(np.quantile(x[r, there], 0.75))
    assert np.isnan(correlations[3])
    assert np.isnan(quantiles[3])


def test_correlation_with_a_constant_is_not_a_number():
    ones = np.ones((1, 1))
    assert np.isnan(weighted.correlation(ones, np.zeros(5, int), np.full(5, 0.3), np.arange(5.0)))[0]
    assert np.isnan(weighted.row_correlation(np.full((1, 5), 0.3), np.arange(5.0)[None]))[0]


def test_nobody_has_no_mean():
    assert np.isnan(weighted.mean(np.zeros((1, 2)), np.array([0, 1]), np.array([1.0, 2.0])))[0]
    assert np.isnan(weighted.weighted_quantiles(np.array([1.0, 2.0]), np.zeros((1, 2)), 0.5))[0]

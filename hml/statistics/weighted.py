"""Statistics of weighted values, many replicates at once: means, quantiles and correlations."""

import numpy as np
import pandas as pd

from hml.statistics.estimates import ANYWHERE, Array, Bounds, Estimate, Index
from hml.statistics.jackknife import Jackknife, Statistic, Weights, sums


def cell_means(weights: Array, cell: Index, values: Array, num_cells: int) -> Array:
    """Average values (N,) over each cell under weights (R, N), shape (R, C); NaN where a cell has none."""
    total, count = sums(weights, cell, values, num_cells), sums(weights, cell, np.ones_like(values), num_cells)
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)


def mean(weights: Array, values: Array) -> Array:
    """Average values (N,) or (R, N) under weights (R, N), shape (R,), leaving out NaN; NaN where there is nothing."""
    there = np.isfinite(values)
    count = (weights * there).sum(1)
    total = (weights * np.where(there, values, 0)).sum(1)
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)


def mean_of(table: pd.DataFrame, values: Array) -> Statistic:
    """Return the statistic that averages these values (N,), one for each row of a table with a column `judgement`."""
    return lambda weights: mean(weights.of(table), values)


def estimate_mean(jackknife: Jackknife, table: pd.DataFrame, values: Array, bounds: Bounds = ANYWHERE) -> Estimate:
    """Estimate the mean of values (N,), one for each row of a table with the columns `judgement` and `person`."""
    return jackknife.estimate(mean_of(table, values), len(values), table["person"].nunique(), bounds)


def correlation_of(table: pd.DataFrame, x: Array, y: Array) -> Statistic:
    """Return the statistic that correlates x and y, each (N,), over the rows of a table with a column `judgement`."""
    return lambda weights: correlation(weights.of(table), x, y)


def correlation(weights: Array, x: Array, y: Array) -> Array:
    """Pearson's correlation of x and y, (N,) or (R, N) each, under weights (R, N), shape (R,).

    Pairs with a NaN are left out. NaN where either is constant or fewer than three pairs are left.
    """
    there = np.isfinite(x) & np.isfinite(y)
    kept = weights * there
    total = kept.sum(1)
    safe = np.where(total > 0, total, 1)
    x, y = np.where(there, x, 0), np.where(there, y, 0)
    dx = x - ((kept * x).sum(1) / safe)[:, None]
    dy = y - ((kept * y).sum(1) / safe)[:, None]
    covariance, squares = (kept * dx * dy).sum(1) / safe, (kept * dx**2).sum(1) * (kept * dy**2).sum(1) / safe**2
    usable = ((kept > 0).sum(1) >= 3) & (squares > 1e-18)
    return np.where(usable, np.clip(covariance / np.sqrt(np.where(usable, squares, 1)), -1, 1), np.nan)


__all__ = ["Weights", "cell_means", "correlation", "correlation_of", "estimate_mean", "mean", "mean_of", "sums"]

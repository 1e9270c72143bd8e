"""Statistics of weighted values, many replicates at once: means, quantiles and correlations."""

import numpy as np
import pandas as pd

from hml.statistics.estimates import NUMBER, Array, Estimate, Index, Kind
from hml.statistics.jackknife import Jackknife, Statistic, Weights, sums


def cell_means(weights: Array, cell: Index, values: Array, num_cells: int) -> Array:
    """Average values (N,) over each cell under weights (R, N), shape (R, C); NaN where a cell has none."""
    total, count = (sums(weights, cell, each, num_cells) for each in (values, np.ones_like(values)))
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)


def mean(weights: Array, values: Array) -> Array:
    """Average values (N,) or (R, N) under weights (R, N), shape (R,). NaN is left out; without values, NaN."""
    there = np.isfinite(values)
    count = _sum(weights, there.astype(float))
    return np.where(count > 0, _sum(weights, np.where(there, values, 0.0)) / np.where(count > 0, count, 1), np.nan)


def mean_of(table: pd.DataFrame, values: Array) -> Statistic:
    """Return the statistic that averages values (N,), one for each row of a table with a column `judgement`."""
    return lambda weights: mean(weights.of(table), values)


def estimate_mean(jackknife: Jackknife, table: pd.DataFrame, values: Array, kind: Kind = NUMBER) -> Estimate:
    """Estimate the mean of values (N,), one for each row of a table with the columns `judgement` and `person`."""
    return jackknife.estimate(mean_of(table, values), len(values), table["person"].nunique(), kind)


def correlation_of(table: pd.DataFrame, x: Array, y: Array) -> Statistic:
    """Return the statistic that correlates x and y, each (N,), over the rows of a table with a column `judgement`."""
    return lambda weights: correlation(weights.of(table), x, y)


def correlation(weights: Array, x: Array, y: Array) -> Array:
    """Return Pearson's correlation of x and y, (N,) or (R, N) each, under weights (R, N), shape (R,).

    Pairs with a NaN are left out. NaN where either is constant or fewer than three pairs are left.
    """
    there = np.isfinite(x) & np.isfinite(y)
    # Centred first, since the moments around 0 of values with a large mean cancel.
    x, y = (
        np.where(there, v - (np.broadcast_to(v, there.shape)[there].mean() if there.any() else 0), 0.0) for v in (x, y)
    )
    total, pairs = (_sum(kept, there.astype(float)) for kept in (weights, (weights > 0).astype(float)))
    safe = np.where(total > 0, total, 1)
    mean_x, mean_y, xx, yy, xy = (_sum(weights, values) / safe for values in (x, y, x * x, y * y, x * y))
    squares = np.maximum(xx - mean_x**2, 0) * np.maximum(yy - mean_y**2, 0)
    usable = (pairs >= 3) & (squares > 1e-18)
    ratio = (xy - mean_x * mean_y) / np.sqrt(np.where(usable, squares, 1))
    return np.where(usable, np.clip(ratio, -1, 1), np.nan)


def _sum(weights: Array, values: Array) -> Array:
    """Sum values (N,) or (R, N) under weights (R, N), shape (R,)."""
    summed: Array = weights @ values if values.ndim == 1 else np.einsum("rn,rn->r", weights, values)
    return summed


__all__ = ["Weights", "cell_means", "correlation", "correlation_of", "estimate_mean", "mean", "mean_of", "sums"]

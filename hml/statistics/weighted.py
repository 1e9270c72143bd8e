"""Statistics under people's weights, many resamples at once: means, quantiles and correlations."""

import numpy as np
import pandas as pd

from hml.statistics.bootstrap import ANYWHERE, Array, Bootstrap, Bounds, Estimate, Index, Statistic


def sums_by_person(person: Index, cell: Index, values: Array, num_people: int, num_cells: int) -> Array:
    """Sum each person's values in each cell, shape (A, C), so that weights (R, A) @ it sums over a resample."""
    summed = np.bincount(person * num_cells + cell, values, num_people * num_cells)
    return summed.reshape(num_people, num_cells).astype(float)


def cell_means(weights: Array, person: Index, cell: Index, values: Array, num_cells: int) -> Array:
    """Average values (N,) over each cell under weights (R, A), shape (R, C); NaN where nobody is left."""
    num_people = weights.shape[1]
    total = weights @ sums_by_person(person, cell, values, num_people, num_cells)
    count = weights @ sums_by_person(person, cell, np.ones_like(values), num_people, num_cells)
    return np.where(count > 0, total / np.where(count > 0, count, 1), np.nan)


def mean(weights: Array, person: Index, values: Array) -> Array:
    """Average values (N,) under weights (R, A), shape (R,)."""
    return cell_means(weights, person, np.zeros_like(person), values, 1)[:, 0]


def mean_of(person: Index, values: Array) -> Statistic:
    """Return the statistic that averages these values, each (N,)."""
    return lambda weights: mean(weights, person, values)


def estimate_mean(bootstrap: Bootstrap, table: pd.DataFrame, values: Array, bounds: Bounds = ANYWHERE) -> Estimate:
    """Estimate the mean of values (N,), one for each row of a table with a column `person`."""
    person = table["person"].to_numpy(np.int64)
    return bootstrap.estimate(mean_of(person, values), len(values), len(np.unique(person)), bounds)


def correlation_of(person: Index, x: Array, y: Array) -> Statistic:
    """Return the statistic that correlates x and y, each (N,)."""
    return lambda weights: correlation(weights, person, x, y)


def correlation(weights: Array, person: Index, x: Array, y: Array) -> Array:
    """Pearson's correlation of x and y, each (N,), under weights (R, A), shape (R,); NaN where either is constant."""
    x, y = x - x.mean(), y - y.mean()  # so that the moments below don't cancel
    ones = np.zeros_like(person)
    columns = [np.ones_like(x), x, y, x * x, y * y, x * y]
    sums = [weights @ sums_by_person(person, ones, column, weights.shape[1], 1)[:, 0] for column in columns]
    n, mean_x, mean_y, xx, yy, xy = sums[0], *(s / np.where(sums[0] > 0, sums[0], 1) for s in sums[1:])
    return _ratio(xy - mean_x * mean_y, (xx - mean_x**2) * (yy - mean_y**2), n)


def row_correlation(x: Array, y: Array) -> Array:
    """Pearson's correlation along the last axis of x and y, (R, N) each, leaving out pairs with a NaN, shape (R,)."""
    there = np.isfinite(x) & np.isfinite(y)
    n = there.sum(1)
    safe = np.maximum(n, 1)
    dx = np.where(there, x - (np.where(there, x, 0).sum(1) / safe)[:, None], 0)
    dy = np.where(there, y - (np.where(there, y, 0).sum(1) / safe)[:, None], 0)
    return _ratio((dx * dy).sum(1) / safe, (dx**2).sum(1) * (dy**2).sum(1) / safe**2, n.astype(float))


def _ratio(covariance: Array, variances: Array, n: Array) -> Array:
    usable = (n >= 3) & (variances > 1e-18)
    return np.where(usable, np.clip(covariance / np.sqrt(np.where(usable, variances, 1)), -1, 1), np.nan)


def row_quantiles(values: Array, q: float) -> Array:
    """Linear quantiles along the last axis of values (R, N), leaving out NaN, shape (R,); NaN where all are."""
    ordered = np.sort(values, axis=1)  # NaN last
    count = np.isfinite(values).sum(1)
    place = np.maximum(count - 1, 0) * q
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(count - 1, 0))
    rows = np.arange(len(values))
    low, high = ordered[rows, below], ordered[rows, above]
    quantile: Array = low + (high - low) * (place - below)
    return quantile


def weighted_quantiles(values: Array, weights: Array, q: float) -> Array:
    """Linear quantiles of values (N,), each taken as often as whole-numbered weights (R, N) say, shape (R,)."""
    order = np.argsort(values)
    ordered, reached = values[order], np.cumsum(weights[:, order], axis=1)  # (R, N)
    total = reached[:, -1]
    place = np.maximum(total - 1, 0) * q
    low = ordered[(reached > np.floor(place)[:, None]).argmax(1)]
    high = ordered[(reached > np.minimum(np.floor(place) + 1, np.maximum(total - 1, 0))[:, None]).argmax(1)]
    return np.where(total > 0, low + (high - low) * (place - np.floor(place)), np.nan)

"""Class pairs: the mean lambda_h at each lambda_f, and curves fitted to the answers, with intervals."""

import itertools
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from hml.judgements import Classes
from hml.judgements.curve_fitting import WEAK, Prior, fit_groups, respond
from hml.judgements.curves import Cells, Curve, PairCurves, fit_overall, fit_pair_curves
from hml.statistics import weighted
from hml.statistics.estimates import NUMBER, SHARE, SIZE, WITHOUT_INTERVAL, Array, Estimate, Index
from hml.statistics.jackknife import Jackknife, Weights

PARAMETERS = ("bias", "slope", "lapse", "gain")
KINDS = {"bias": NUMBER, "slope": WITHOUT_INTERVAL, "lapse": WITHOUT_INTERVAL, "gain": SIZE}
"""Slope and lapse trade off against each other: in simulated data sets, their intervals cover too few."""

_COLUMNS = ("lambda_f", "lambda_h", "class_1", "class_2")

MOST_PAIRS = 66
"""The number of pairs of twelve classes. With more classes, only the pairs judged most often are described."""


@dataclass(frozen=True)
class CurveEstimates:
    """Curves and their parameters' intervals.

    Args:
        curves: The fitted curves.
        overall: bias, slope, lapse and gain of the overall curve.
        pairs: bias and slope of each class pair's.
        bands: The overall curve and its interval on a grid: lambda_f, value, low, high.
    """

    curves: PairCurves
    overall: dict[str, Estimate]
    pairs: dict[tuple[int, int], dict[str, Estimate]]
    bands: pd.DataFrame


@dataclass(frozen=True)
class CurveFits:
    """Fits curves under weights of judgements. The spread, the dispersion and the cells are those of all judgements."""

    table: pd.DataFrame
    cells: Cells

    @classmethod
    def of(cls, table: pd.DataFrame) -> "CurveFits":
        """Return the fits of a table's judgements."""
        return cls(table, Cells.gather(*(table[name].to_numpy() for name in _COLUMNS)))

    @cached_property
    def curves(self) -> PairCurves:
        """The curves of all judgements."""
        return fit_pair_curves(*(self.table[name].to_numpy() for name in _COLUMNS))

    @cached_property
    def whole(self) -> tuple[Array, float]:
        """The parameters of the overall curve of all judgements, shape (3,), and the dispersion around it."""
        return fit_overall(self.cells)

    def cell_sums(self, weights: Weights) -> tuple[Array, Array]:
        """Count judgements and sum lambda_h in each cell, each of shape (R, C)."""
        cells, own = self.cells, weights.of(self.table)
        count, total = (
            weighted.sums(own, cells.member, values, len(cells.lambda_f))
            for values in (np.ones_like(cells.lambda_h), cells.lambda_h)
        )
        return count, total

    def overall(self, weights: Weights) -> Array:
        """Fit the overall curve: parameters, shape (R, 3)."""
        # The pair doesn't matter here, so cells with the same lambda_f are merged.
        levels, level = np.unique(self.cells.lambda_f, return_inverse=True)
        member = (level.reshape(-1)[:, None] == np.arange(len(levels))).astype(float)
        count, total = (sums @ member for sums in self.cell_sums(weights))
        group = np.zeros(len(levels), np.int64)
        start, dispersion = self.whole
        return fit_groups(levels, group, count, total, WEAK, dispersion, 1, start)[0][:, 0]

    def pairs(self, weights: Weights, chosen: Index | None = None) -> Array:
        """Fit the curve of each pair, or of chosen pairs, shrunk to the overall one: parameters, shape (R, G, 3)."""
        return self._fit_pairs(weights, chosen)[0]

    def unknown(self, chosen: Index | None = None) -> Array:
        """Return the standard deviations of the errors of biases and log slopes by shrinkage, shape (G, 2).

        An estimate that is shrunk by the share B varies less between replicates than it is uncertain. Its posterior
        variance B·τ² exceeds its variance between replicates by B²·τ² (Morris, 1983). The root of that is returned.
        """
        spread = np.array(self.curves.spread)
        _, covariance = self._fit_pairs(Weights.ones(int(self.table["judgement"].max()) + 1), chosen)
        posterior = np.diagonal(covariance[0], axis1=-2, axis2=-1)[:, :2]
        unknown: Array = np.minimum(posterior / spread, spread)
        return unknown

    def _fit_pairs(self, weights: Weights, chosen: Index | None) -> tuple[Array, Array]:
        cells = self.cells
        chosen = np.arange(len(cells.pairs)) if chosen is None else chosen
        inside = np.flatnonzero(np.isin(cells.group, chosen))
        count, total = (np.take(sums, inside, axis=1) for sums in self.cell_sums(weights))
        prior = Prior(self.overall(weights)[:, None], np.array([*self.curves.spread, 0.0]))
        group = np.searchsorted(chosen, cells.group[inside])
        start = np.array([parameters_of(self.curves.curves[cells.pairs[g]]) for g in chosen])  # (G, 3)
        dispersion = self.curves.dispersion
        return fit_groups(cells.lambda_f[inside], group, count, total, prior, dispersion, len(chosen), start)


def parameters_of(curve: Curve) -> Array:
    """Turn a curve into (bias, log slope, logit lapse), shape (3,): where refits begin."""
    return np.array([curve.bias, np.log(curve.slope), logit(np.clip(curve.lapse, 1e-9, 1 - 1e-9))])


def readable(parameters: Array) -> Array:
    """Turn (bias, log slope, logit lapse), shape (..., 3), into bias, slope, lapse and gain, shape (..., 4).

    The gain is the curve's steepness in the middle. Slope and lapse trade off against each other; the gain does not.
    """
    bias, log_slope, logit_lapse = np.moveaxis(parameters, -1, 0)
    slope, lapse = np.exp(log_slope), expit(logit_lapse)
    return np.stack([bias, slope, lapse, (1 - lapse) * slope / 4], axis=-1)


def identifiable(table: pd.DataFrame) -> bool:
    """Return whether there are three or more lambda_f, without which slope and lapse are the prior's."""
    return table["lambda_f"].nunique() >= 3


def most_judged(table: pd.DataFrame, count: int) -> list[tuple[int, int]]:
    """Return the class pairs with the most judgements, most first; ties in the order of the labels."""
    found, n = np.unique(np.sort(table[["class_1", "class_2"]], axis=1), axis=0, return_counts=True)
    return [(int(a), int(b)) for a, b in found[np.argsort(-n, kind="stable")[:count]]]


def choose_pairs(table: pd.DataFrame, classes: Classes, asked: Sequence[tuple[int, int]] = ()) -> list[tuple[int, int]]:
    """Return all class pairs; with more than twelve classes, the 66 judged most often and those asked for, in order."""
    if math.comb(len(classes), 2) <= MOST_PAIRS:
        return classes.pairs
    return sorted({*asked, *most_judged(table, MOST_PAIRS)})


def estimate_curves(
    table: pd.DataFrame, jackknife: Jackknife, shown: Collection[tuple[int, int]] | None = None
) -> CurveEstimates:
    """Fit the curves, and fit the overall curve and those of the shown pairs again in each replicate."""
    fits = CurveFits.of(table)
    chosen = np.array([g for g, pair in enumerate(fits.cells.pairs) if shown is None or pair in shown], np.int64)
    people = table["person"].nunique()
    overall = jackknife.replicate(fits.overall)  # (R, 3)
    point = jackknife.value(fits.overall)
    known = PARAMETERS if identifiable(table) else PARAMETERS[:1]
    named = {
        name: jackknife.conclude(float(readable(point)[i]), readable(overall)[:, i], len(table), people, KINDS[name])
        for i, name in enumerate(PARAMETERS)
        if name in known
    }
    of_chosen = partial(fits.pairs, chosen=chosen)
    replicated, points = readable(jackknife.replicate(of_chosen)), readable(jackknife.value(of_chosen))
    unknown = fits.unknown(chosen)
    unknown[:, 1] *= points[:, 1]  # from the log slope's scale to the slope's
    of_pair = fits.cells.group[fits.cells.member]  # (N,)
    pairs = {}
    for i, g in enumerate(chosen):
        inside = of_pair == g
        n, who = int(inside.sum()), table.loc[inside, "person"].nunique()
        pairs[fits.cells.pairs[g]] = {
            # Estimates are shrunk as if other images might have been shown, which is wrong for the same images.
            name: jackknife.conclude(
                float(points[i, k]), replicated[:, i, k], n, who, KINDS[name].for_other_images, float(unknown[i, k])
            )
            for k, name in enumerate(PARAMETERS[:2])
            if name in known
        }
    grid = np.linspace(0, 1, 51)
    values, many = respond(point, grid), respond(overall[:, None], grid)  # (X,), (R, X)
    bands = [jackknife.conclude(float(v), r, len(table), people) for v, r in zip(values, many.T, strict=True)]
    frame = pd.DataFrame([{"lambda_f": x, **band.as_dict()} for x, band in zip(grid, bands, strict=True)])
    return CurveEstimates(fits.curves, named, pairs, frame)


def summarise_cells(table: pd.DataFrame, jackknife: Jackknife, pairs: Sequence[tuple[int, int]]) -> pd.DataFrame:
    """Average lambda_h in each cell of class pair and lambda_f, for the class with the lower label.

    Args:
        table: The result of `judgement_table`.
        jackknife: Its replicates.
        pairs: The class pairs, the lower label first. Judgements of other pairs are left out.

    Returns:
        One row per cell: class_1, class_2, lambda_f, the estimate, images; n is 0 and value None where nobody judged.
    """
    number = {pair: i for i, pair in enumerate(pairs)}
    ends = np.sort(table[["class_1", "class_2"]], axis=1).tolist()
    pair = np.array([number.get((a, b), -1) for a, b in ends], dtype=np.int64)
    table, pair = table[pair >= 0], pair[pair >= 0]
    turned = table["class_1"] > table["class_2"]
    level = np.where(turned, 1 - table["level"], table["level"]).round(9)
    lambda_h = np.where(turned, 1 - table["lambda_h"], table["lambda_h"])
    levels = np.unique(level)
    cell = pair * len(levels) + np.searchsorted(levels, level)
    num_cells = len(pairs) * len(levels)
    groups = table.groupby(cell)
    n, people, images = (
        found.reindex(range(num_cells), fill_value=0)
        for found in (groups.size(), groups["person"].nunique(), groups["image"].nunique())
    )

    def means(weights: Weights) -> Array:
        return weighted.cell_means(weights.of(table), cell, lambda_h, num_cells)

    estimates = jackknife.estimates(means, n.tolist(), people.tolist(), SHARE)
    keys = [{"class_1": a, "class_2": b, "lambda_f": float(x)} for (a, b), x in itertools.product(pairs, levels)]
    frame = pd.DataFrame([{**key, **estimate.as_dict()} for key, estimate in zip(keys, estimates, strict=True)])
    return frame.assign(images=images.astype(int))

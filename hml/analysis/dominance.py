"""Which classes dominate a blend: Bradley–Terry strengths, from answers' deviations from lambda_f."""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.special import expit

from hml.analysis.pairs import CurveFits
from hml.judgements.curves import Cells
from hml.statistics.estimates import Array, Estimate, Index
from hml.statistics.jackknife import Jackknife, Weights

_STEPS, _TOLERANCE = 50, 1e-9
_DENSE = 14
"""Designs with up to this many columns (twelve classes) are multiplied as dense matrices."""
_SLOPE_MEAN, _SLOPE_SD, _POSITION_SD, _STRENGTH_SD = 5.0, 5.0, 1.0, 1.0


def fit_strengths(
    cells: Cells,
    count: Array,
    total: Array,
    lapse: float,
    dispersion: float,
    num_classes: int,
    start: Array | None = None,
) -> Array:
    """Fit logit λ_h = slope·(λ_f − ½) + position + strength of the first class − strength of the second.

    This is Bradley and Terry's model (1952) with the share in the pixels as a handicap. `position` is a preference for
    the first class. Strengths have a weak Gaussian prior around 0, so they sum to 0.

    Args:
        cells: The judgements' cells; N of them.
        count: Number of judgements in each, shape (R, N).
        total: The sum of their lambda_h, shape (R, N).
        lapse: The share of answers that don't depend on the image.
        dispersion: The variance of a judgement divided by that of a coin flip.
        num_classes: C.
        start: Where the search begins, shape (1, 2 + C); at the prior's mean unless given.

    Returns:
        slope, position and the classes' strengths, shape (R, 2 + C).
    """
    pairs = np.array(cells.pairs)[cells.group]  # (N, 2)
    classes = np.eye(num_classes)
    design = np.column_stack([cells.lambda_f - 0.5, np.ones(len(pairs)), classes[pairs[:, 0]] - classes[pairs[:, 1]]])
    products = _multiply_columns(design, pairs)  # (N, (2 + C)²)
    sd = np.array([_SLOPE_SD, _POSITION_SD, *[_STRENGTH_SD] * num_classes])
    prior = np.zeros(len(sd))
    prior[0] = _SLOPE_MEAN
    found = np.tile(prior if start is None else start[0], (len(count), 1))
    for _ in range(_STEPS):
        sigmoid = expit(found @ design.T)  # (R, N)
        predicted = lapse / 2 + (1 - lapse) * sigmoid
        variance = np.maximum(predicted * (1 - predicted), 1e-9) * dispersion
        steepness = (1 - lapse) * sigmoid * (1 - sigmoid)
        gradient = ((total - count * predicted) / variance * steepness) @ design - (found - prior) / sd**2
        information = ((count / variance * steepness**2) @ products).reshape(len(count), len(sd), len(sd))
        step = np.linalg.solve(information + np.diag(1 / sd**2), gradient[..., None])[..., 0]
        found = found + np.clip(step, -2, 2)
        if float(np.abs(step).max(initial=0)) < _TOLERANCE:
            break
    return found


def _multiply_columns(design: Array, pairs: Index) -> "Array | csr_array[np.float64]":
    """Multiply each two columns of a design, shape (N, D²), of which four are not 0: two, and those of the pair."""
    num_cells, width = design.shape
    if width <= _DENSE:
        return (design[:, :, None] * design[:, None, :]).reshape(num_cells, -1)
    column = np.column_stack([np.zeros(num_cells, np.int64), np.ones(num_cells, np.int64), 2 + pairs])  # (N, 4)
    value = np.take_along_axis(design, column, axis=1)
    products = value[:, :, None] * value[:, None, :]  # (N, 4, 4)
    place = width * column[:, :, None] + column[:, None, :]
    starts = 16 * np.arange(num_cells + 1)
    return csr_array((products.ravel(), place.ravel(), starts), (num_cells, width**2))


def dominance(table: pd.DataFrame, jackknife: Jackknife, num_classes: int) -> tuple[pd.DataFrame, Estimate]:
    """Estimate how much each of C classes dominates the others.

    Returns:
        One row for each class that was judged: `class` (its index), its strength, strength_low and strength_high in
        logits; its worth as value, low and high, which is how much less than half of the pixels it needs to look like
        half of a blend with an average class (strength over slope); n, people. And the preference for the first class,
        as a share of the pixels.
    """
    fits = CurveFits.of(table)
    curve, dispersion = fits.whole
    lapse = float(expit(curve[2]))

    def strengths_of(weights: Weights, start: Array | None = None) -> Array:
        return fit_strengths(fits.cells, *fits.cell_sums(weights), lapse, dispersion, num_classes, start)

    start = strengths_of(Weights.ones(len(jackknife.person)))

    def fit(weights: Weights) -> Array:
        found = strengths_of(weights, start)
        slope = np.maximum(found[:, :1], 0.1)
        return np.concatenate([found[:, 2:], found[:, 2:] / slope, found[:, 1:2] / slope], axis=1)  # (R, 2·C + 1)

    value, replicates = jackknife.value(fit), jackknife.replicate(fit)
    rows = []
    for c in range(num_classes):
        part = table[(table["class_1"] == c) | (table["class_2"] == c)]
        if part.empty:
            continue
        n, people = len(part), part["person"].nunique()
        strength = jackknife.conclude(float(value[c]), replicates[:, c], n, people)
        worth = jackknife.conclude(float(value[num_classes + c]), replicates[:, num_classes + c], n, people)
        strengths = {"strength": strength.value, "strength_low": strength.low, "strength_high": strength.high}
        rows.append({"class": c, **strengths, **worth.as_dict()})
    position = jackknife.conclude(float(value[-1]), replicates[:, -1], len(table), table["person"].nunique())
    return pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True), position

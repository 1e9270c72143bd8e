"""Which classes dominate a blend: Bradley–Terry strengths, from how far answers lean beyond lambda_f."""

import numpy as np
import pandas as pd
from scipy.special import expit

from hml.analysis.pairs import NUM_CLASSES, CurveFits
from hml.judgements.curves import Cells
from hml.statistics.bootstrap import Array, Bootstrap, Estimate, make_estimate

_STEPS, _TOLERANCE = 50, 1e-9
_SLOPE_MEAN, _SLOPE_SD, _POSITION_SD, _STRENGTH_SD = 5.0, 5.0, 1.0, 1.0


def fit_strengths(cells: Cells, count: Array, total: Array, lapse: float, dispersion: float) -> Array:
    """Fit logit λ_h = slope·(λ_f − ½) + position + strength of the first class − strength of the second.

    Bradley and Terry's model (1952) with what is in the pixels as a handicap, and with `position` for a lean to
    whatever class stands first. Strengths have a weak Gaussian prior around 0, so they sum to 0.

    Args:
        cells: The judgements' cells; C of them.
        count: Judgements in each, shape (R, C).
        total: The sum of their lambda_h, shape (R, C).
        lapse: The share of answers that don't depend on the image.
        dispersion: The variance of a judgement over that of a coin flip.

    Returns:
        slope, position and the ten strengths, shape (R, 12).
    """
    pairs = np.array(cells.pairs)[cells.group]  # (C, 2)
    classes = np.eye(NUM_CLASSES)
    design = np.column_stack([cells.lambda_f - 0.5, np.ones(len(pairs)), classes[pairs[:, 0]] - classes[pairs[:, 1]]])
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)  # (C, 144)
    sd = np.array([_SLOPE_SD, _POSITION_SD, *[_STRENGTH_SD] * NUM_CLASSES])
    prior = np.zeros(len(sd))
    prior[0] = _SLOPE_MEAN
    found = np.tile(prior, (len(count), 1))
    for _ in range(_STEPS):
        sigmoid = expit(found @ design.T)  # (R, C)
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


def dominance(table: pd.DataFrame, bootstrap: Bootstrap) -> tuple[pd.DataFrame, Estimate]:
    """Estimate how much each class outweighs the others.

    Returns:
        One row for each class that was judged: `class` (its index), its strength, strength_low and strength_high in
        logits, its worth as value, low and high: the share of the pixels that it can do without, against an average
        class, and still be seen as half (strength over slope); n, people. And the lean to the first class, as a share
        of the pixels.
    """
    fits = CurveFits.of(table)

    def fit(weights: Array) -> Array:
        count, total = fits.cell_sums(weights)
        found = fit_strengths(fits.cells, count, total, fits.curves.overall.lapse, fits.curves.dispersion)
        slope = np.maximum(found[:, :1], 0.1)
        return np.concatenate([found[:, 2:], found[:, 2:] / slope, found[:, 1:2] / slope], axis=1)  # (R, 21)

    value, replicates = bootstrap.value(fit), bootstrap.replicate(fit)
    rows = []
    for c in range(NUM_CLASSES):
        part = table[(table["class_1"] == c) | (table["class_2"] == c)]
        if part.empty:
            continue
        n, people = len(part), part["person"].nunique()
        strength = make_estimate(float(value[c]), replicates[:, c], n, people)
        worth = make_estimate(float(value[NUM_CLASSES + c]), replicates[:, NUM_CLASSES + c], n, people)
        strengths = {"strength": strength.value, "strength_low": strength.low, "strength_high": strength.high}
        rows.append({"class": c, **strengths, **worth.as_dict()})
    position = make_estimate(float(value[-1]), replicates[:, -1], len(table), table["person"].nunique())
    return pd.DataFrame(rows).sort_values("value", ascending=False, ignore_index=True), position

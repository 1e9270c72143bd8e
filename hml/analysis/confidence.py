"""What confidence depends on: the endpoints' ambiguity, how even the blend is, how extreme the answer is, its error."""

from functools import partial

import numpy as np
import pandas as pd
from scipy.special import xlogy

from hml.analysis.generating import image_lambda_f, image_means
from hml.statistics import weighted
from hml.statistics.estimates import CORRELATION, SHARE, Array, Estimate
from hml.statistics.jackknife import Jackknife, Weights, first_rows

# Mean and larger entropy of people's labels of the endpoints; |lambda_f − .5|; |lambda_h − .5|; |lambda_h − lambda_f|.
VARIABLES = ("ambiguity", "most_ambiguous", "distance", "extremeness", "error")

FOLDED = ("extremeness", "error")
"""Variables that are sizes: how far an image's mean is from a value depends on people's noise in a folded way."""

_BINS = 5


def entropies(probabilities: Array) -> Array:
    """Entropy of each distribution in nats, rows (M, C) that sum to 1, shape (M,); 0·log 0 is 0."""
    entropy: Array = -xlogy(probabilities, probabilities).sum(1)
    return entropy


def add_variables(table: pd.DataFrame, human: Array | None) -> pd.DataFrame:
    """Add the columns that confidence may depend on.

    Args:
        table: What `judgement_table` made.
        human: People's labels of each original image, shape (M, C), or None if they are not known.

    Returns:
        The table with `distance`, `extremeness` and, where known, `ambiguity` and `most_ambiguous`.
    """
    added = table.assign(distance=(table["lambda_f"] - 0.5).abs(), extremeness=(table["lambda_h"] - 0.5).abs())
    if human is not None:
        ends = entropies(human)[table[["id_1", "id_2"]].to_numpy()]  # (N, 2)
        added = added.assign(ambiguity=ends.mean(1), most_ambiguous=ends.max(1))
    return added


def correlate(table: pd.DataFrame, variable: str, unit: str, weights: Weights) -> Array:
    """Correlate omega with a variable under judgements' weights.

    Args:
        table: What `add_variables` made.
        variable: One of its columns.
        unit: "judgement"; "within_person": omega and the variable less the person's own means, since people use
            the slider differently; "image": both from the image's mean judgement.
        weights: Of all judgements.

    Returns:
        Shape (R,).
    """
    if unit == "image":
        x, y = _image_values(table, variable, weights), image_means(table, "omega", weights)
        return weighted.correlation(weights.of_images(table), x, y)
    person = table["person"].to_numpy(np.int64)
    x, y = (table[name].to_numpy(float) for name in (variable, "omega"))
    if unit == "within_person":
        x, y = (
            values - (np.bincount(person, values) / np.maximum(np.bincount(person), 1))[person] for values in (x, y)
        )
    return weighted.correlation(weights.of(table), x, y)


def _image_values(table: pd.DataFrame, variable: str, weights: Weights) -> Array:
    if variable not in FOLDED:  # the same for all judgements of an image
        return table[variable].to_numpy(float)[first_rows(table)]
    lambda_h = image_means(table, "lambda_h", weights)
    away: Array = np.abs(lambda_h - (0.5 if variable == "extremeness" else image_lambda_f(table)))
    return away


def correlations(table: pd.DataFrame, jackknife: Jackknife) -> dict[tuple[str, str], Estimate]:
    """Estimate the correlations of all variables in the table, by (variable, unit)."""
    people = table["person"].nunique()
    counts = {"judgement": len(table), "within_person": len(table), "image": table["image"].nunique()}
    return {
        (variable, unit): jackknife.estimate(
            partial(correlate, table, variable, unit),
            n,
            people,
            CORRELATION.for_other_images if unit == "image" and variable in FOLDED else CORRELATION,
        )
        for variable in VARIABLES
        if variable in table
        for unit, n in counts.items()
    }


def binned_confidence(table: pd.DataFrame, jackknife: Jackknife) -> pd.DataFrame:
    """Average omega over five bins of each variable, of equal size where ties allow. `x` is the variable's mean."""
    rows = []
    for variable in (name for name in VARIABLES if name in table):
        values = table[variable].to_numpy(float)
        edges = np.unique(np.quantile(values, np.linspace(0, 1, _BINS + 1)[1:-1]))
        which = np.searchsorted(edges, values, side="left") if table[variable].nunique() > _BINS else _rank(values)
        for b in np.unique(which):
            part = table[which == b]
            estimate = weighted.estimate_mean(jackknife, part, part["omega"].to_numpy(float), SHARE)
            rows.append({"variable": variable, "x": float(part[variable].mean()), **estimate.as_dict()})
    return pd.DataFrame(rows)


def _rank(values: Array) -> Array:
    # |0.9 − 0.5| and |0.1 − 0.5| differ in their last digits.
    ranks: Array = np.unique(values.round(9), return_inverse=True)[1].astype(float)
    return ranks

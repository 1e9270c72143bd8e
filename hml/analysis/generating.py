"""The mixing coefficient against what people infer: for each lambda_f, over images and over judgements."""

from functools import partial

import numpy as np
import pandas as pd

from hml.statistics import weighted
from hml.statistics.estimates import SHARE, SIZE, Array, Estimate
from hml.statistics.jackknife import Jackknife, Weights, first_rows

STATISTICS = ("mean", "median", "q25", "q75", "error", "omega")
_QUANTILES = {"median": 0.5, "q25": 0.25, "q75": 0.75}
_STEP = 0.01
"""Of the slider. A quantile's share is smoothed by so much at least, since answers heap on some positions."""


def summarise_levels(table: pd.DataFrame, jackknife: Jackknife) -> pd.DataFrame:
    """Summarise lambda_h at each lambda_f.

    Returns:
        One row for each unit ("image": an image's mean judgement; "judgement"), level and statistic (mean, median,
        q25 and q75 of lambda_h; error = mean |lambda_h − lambda_f|; omega = mean omega, where it is known).
    """
    names = STATISTICS if "omega" in table else STATISTICS[:-1]
    rows = []
    for level, part in table.groupby("level", sort=True):
        for unit, n in (("image", part["image"].nunique()), ("judgement", len(part))):
            estimates = _summarise(part, unit, n, jackknife)
            rows += [
                {"unit": unit, "lambda_f": level, "statistic": name, **estimates[name].as_dict()} for name in names
            ]
    return pd.DataFrame(rows)


def image_means(table: pd.DataFrame, column: str, weights: Weights) -> Array:
    """Average a column over each image's judgements, shape (R, I), images by first appearance in the table."""
    image = pd.factorize(table["image"])[0].astype(np.int64)
    return weighted.cell_means(weights.of(table), image, table[column].to_numpy(float), int(image.max()) + 1)


def image_lambda_f(table: pd.DataFrame) -> Array:
    """Return each image's lambda_f, shape (I,), images by first appearance in the table."""
    return table["lambda_f"].to_numpy(float)[first_rows(table)]


def error_by_judgement(table: pd.DataFrame, weights: Weights) -> Array:
    """Mean |lambda_h − lambda_f| over judgements, shape (R,)."""
    return weighted.mean(weights.of(table), table["error"].to_numpy(float))


def error_by_image(table: pd.DataFrame, weights: Weights) -> Array:
    """Mean |mean lambda_h − lambda_f| over images, shape (R,)."""
    away = np.abs(image_means(table, "lambda_h", weights) - image_lambda_f(table))
    return weighted.mean(weights.of_images(table), away)


def _summarise(part: pd.DataFrame, unit: str, n: int, jackknife: Jackknife) -> dict[str, Estimate]:
    """Estimate every statistic of one level's judgements, or of their images."""
    people = part["person"].nunique()

    def spread(weights: Weights, column: str = "lambda_h") -> tuple[Array, Array]:
        if unit == "image":
            return image_means(part, column, weights), weights.of_images(part)
        return part[column].to_numpy(float), weights.of(part)

    def mean(column: str, weights: Weights) -> Array:
        values, own = spread(weights, column)
        return weighted.mean(own, values)

    error, kind = (error_by_image, SIZE.for_other_images) if unit == "image" else (error_by_judgement, SIZE)
    estimates = {
        "mean": jackknife.estimate(partial(mean, "lambda_h"), n, people, SHARE),
        "error": jackknife.estimate(partial(error, part), n, people, kind),
    }
    if "omega" in part:
        estimates["omega"] = jackknife.estimate(partial(mean, "omega"), n, people, SHARE)
    smooth = _STEP, max(_STEP, _noise(part) / 2) if unit == "image" else _STEP
    return estimates | {name: jackknife.quantile(spread, q, n, people, smooth) for name, q in _QUANTILES.items()}


def _noise(part: pd.DataFrame) -> float:
    """Return the standard deviation of an image's mean over other people, on average over the images.

    A share of images smoothed by half of it varies with people's noise as the unsmoothed one does: for values spread
    evenly, by f·σ/√π times the density f where σ is the noise.
    """
    groups = part.groupby("image")["lambda_h"]
    freedom = len(part) - groups.ngroups
    within = float(((part["lambda_h"] - groups.transform("mean")) ** 2).sum()) / max(freedom, 1)
    return float(np.sqrt(within * (1 / groups.size()).mean()))

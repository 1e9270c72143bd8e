"""The mixing coefficient against what people infer: for each lambda_f, over images and over judgements."""

from functools import partial

import numpy as np
import pandas as pd

from hml.statistics import weighted
from hml.statistics.bootstrap import SHARE, Array, Bootstrap

STATISTICS = ("mean", "median", "q25", "q75", "error", "omega")


def summarise_levels(table: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Summarise lambda_h at each lambda_f.

    Returns:
        One row for each unit ("image": an image's mean judgement; "judgement"), level and statistic (mean, median,
        q25 and q75 of lambda_h; error = mean |lambda_h − lambda_f|; omega = mean omega, where it is known).
    """
    statistics = STATISTICS if "omega" in table else STATISTICS[:-1]
    rows = []
    for level, part in table.groupby("level", sort=True):
        people = [part["person"].nunique()] * len(statistics)
        for unit, summarise, n in (
            ("image", _over_images, part["image"].nunique()),
            ("judgement", _over_judgements, len(part)),
        ):
            estimates = bootstrap.estimates(partial(summarise, part), [n] * len(statistics), people, SHARE)
            rows += [
                {"unit": unit, "lambda_f": level, "statistic": name, **estimate.as_dict()}
                for name, estimate in zip(statistics, estimates, strict=True)
            ]
    return pd.DataFrame(rows)


def image_means(table: pd.DataFrame, column: str, weights: Array) -> Array:
    """Average a column over each image's judgements, shape (R, I), images by first appearance in the table."""
    image = pd.factorize(table["image"])[0].astype(np.int64)
    person, values = table["person"].to_numpy(np.int64), table[column].to_numpy(float)
    return weighted.cell_means(weights, person, image, values, int(image.max()) + 1)


def image_lambda_f(table: pd.DataFrame) -> Array:
    """Return each image's lambda_f, shape (I,), images by first appearance in the table."""
    return table.drop_duplicates("image")["lambda_f"].to_numpy(float)


def error_by_judgement(table: pd.DataFrame, weights: Array) -> Array:
    """Mean |lambda_h − lambda_f| over judgements, shape (R,)."""
    return weighted.mean(weights, table["person"].to_numpy(np.int64), table["error"].to_numpy(float))


def error_by_image(table: pd.DataFrame, weights: Array) -> Array:
    """Mean |mean lambda_h − lambda_f| over images, shape (R,)."""
    return _row_means(np.abs(image_means(table, "lambda_h", weights) - image_lambda_f(table)))


def _over_images(part: pd.DataFrame, weights: Array) -> Array:
    lambda_h = image_means(part, "lambda_h", weights)  # (R, I)
    quantiles = [weighted.row_quantiles(lambda_h, q) for q in (0.5, 0.25, 0.75)]
    error = np.abs(lambda_h - image_lambda_f(part))
    means = [_row_means(values) for values in (lambda_h, error)]
    omega = [_row_means(image_means(part, "omega", weights))] if "omega" in part else []
    return np.stack([means[0], *quantiles, means[1], *omega], axis=1)


def _over_judgements(part: pd.DataFrame, weights: Array) -> Array:
    person = part["person"].to_numpy(np.int64)
    columns = [part[name].to_numpy(float) for name in ("lambda_h", "error", "omega") if name in part]
    quantiles = [weighted.weighted_quantiles(columns[0], weights[:, person], q) for q in (0.5, 0.25, 0.75)]
    mean, *others = (weighted.mean(weights, person, values) for values in columns)
    return np.stack([mean, *quantiles, *others], axis=1)


def _row_means(values: Array) -> Array:
    """Average along the last axis, leaving out NaN; NaN where all are."""
    there = np.isfinite(values)
    count = there.sum(1)
    return np.where(count > 0, np.where(there, values, 0).sum(1) / np.maximum(count, 1), np.nan)

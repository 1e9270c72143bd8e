"""The mixing coefficient against what people infer: for each lambda_f, over images and over judgements."""

from functools import partial

import numpy as np
import pandas as pd

from hml.statistics import weighted
from hml.statistics.bootstrap import SHARE, Array, Bootstrap, Index

STATISTICS = ("mean", "median", "q25", "q75", "error", "omega")


def summarise_levels(table: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Summarise lambda_h at each lambda_f.

    Args:
        table: What `judgement_table` made.
        bootstrap: Resamples of its people.

    Returns:
        One row for each unit ("image": an image's mean judgement; "judgement"), level and statistic (mean, median,
        q25 and q75 of lambda_h; error = mean |lambda_h − lambda_f|; omega = mean omega), with value, low, high, n,
        people.
    """
    rows = []
    for level, part in table.groupby("level", sort=True):
        people = part["person"].nunique()
        for unit, n in (("image", part["image"].nunique()), ("judgement", len(part))):
            summarise = _over_images if unit == "image" else _over_judgements
            estimates = bootstrap.estimates(
                partial(summarise, part), [n] * len(STATISTICS), [people] * len(STATISTICS), SHARE
            )
            rows += [
                {"unit": unit, "lambda_f": level, "statistic": name, **estimate.as_dict()}
                for name, estimate in zip(STATISTICS, estimates, strict=True)
            ]
    return pd.DataFrame(rows)


def image_means(table: pd.DataFrame, column: str, weights: Array) -> Array:
    """Average a column over each image's judgements, shape (R, I), images by first appearance in the table."""
    image, person, values = _codes(table, column)
    return weighted.cell_means(weights, person, image, values, int(image.max()) + 1)


def error_by_judgement(table: pd.DataFrame, weights: Array) -> Array:
    """Mean |lambda_h − lambda_f| over judgements, shape (R,)."""
    _, person, values = _codes(table, "error")
    return weighted.mean(weights, person, values)


def error_by_image(table: pd.DataFrame, weights: Array) -> Array:
    """Mean |mean lambda_h − lambda_f| over images, shape (R,)."""
    lambda_f = table.groupby(pd.factorize(table["image"])[0])["lambda_f"].first().to_numpy()
    return _row_means(np.abs(image_means(table, "lambda_h", weights) - lambda_f))


def _codes(table: pd.DataFrame, column: str) -> tuple[Index, Index, Array]:
    image = pd.factorize(table["image"])[0].astype(np.int64)
    return image, table["person"].to_numpy(np.int64), table[column].to_numpy(float)


def _over_images(part: pd.DataFrame, weights: Array) -> Array:
    lambda_h, omega = image_means(part, "lambda_h", weights), image_means(part, "omega", weights)  # (R, I)
    lambda_f = part.groupby(pd.factorize(part["image"])[0])["lambda_f"].first().to_numpy()
    quantiles = [weighted.row_quantiles(lambda_h, q) for q in (0.5, 0.25, 0.75)]
    return np.stack(
        [_row_means(lambda_h), *quantiles, _row_means(np.abs(lambda_h - lambda_f)), _row_means(omega)], axis=1
    )


def _over_judgements(part: pd.DataFrame, weights: Array) -> Array:
    _, person, lambda_h = _codes(part, "lambda_h")
    quantiles = [weighted.weighted_quantiles(lambda_h, weights[:, person], q) for q in (0.5, 0.25, 0.75)]
    columns = [lambda_h, part["error"].to_numpy(float), part["omega"].to_numpy(float)]
    means = [weighted.mean(weights, person, column) for column in columns]
    return np.stack([means[0], *quantiles, *means[1:]], axis=1)


def _row_means(values: Array) -> Array:
    """Average along the last axis, leaving out NaN; NaN where all are."""
    there = np.isfinite(values)
    count = there.sum(1)
    return np.where(count > 0, np.where(there, values, 0).sum(1) / np.maximum(count, 1), np.nan)

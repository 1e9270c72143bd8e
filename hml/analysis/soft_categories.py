"""What people call a mixed image when all ten classes are open: how much falls on neither endpoint."""

import numpy as np
import pandas as pd

from hml.statistics import weighted
from hml.statistics.bootstrap import CORRELATION, NOTHING, SHARE, Array, Bootstrap, Estimate

MEASURES = {
    "outside": "mass on classes that are neither endpoint's",
    "neither": "most probable class is neither endpoint's",
    "mass_1": "mass on the first endpoint's class",
    "mass_2": "mass on the second endpoint's class",
}


def summarise_soft_categories(table: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Average each measure over all answers, and at each lambda_f.

    Args:
        table: What `soft_category_table` made.
        bootstrap: Resamples of its people.

    Returns:
        One row for each level ("all" or a lambda_f) and measure: lambda_f, measure, value, low, high, n, people.
    """
    table = table.assign(
        neither=((table["top"] != table["class_1"]) & (table["top"] != table["class_2"])).astype(float)
    )
    rows = []
    for level, part in [("all", table), *table.groupby("lambda_f", sort=True)]:
        person = part["person"].to_numpy(np.int64)
        for measure in MEASURES:
            statistic = weighted.mean_of(person, part[measure].to_numpy(float))
            estimate = bootstrap.estimate(statistic, len(part), part["person"].nunique(), SHARE)
            rows.append({"lambda_f": level, "measure": measure, **estimate.as_dict()})
    return pd.DataFrame(rows)


def endpoint_share(table: pd.DataFrame) -> pd.DataFrame:
    """Add `share`: the first endpoint's part of what falls on both; answers that give neither anything are left out."""
    both = table["mass_1"] + table["mass_2"]
    return table.assign(share=table["mass_1"] / both.where(both > 0))[both > 0]


def agreement_with_inference(
    soft: pd.DataFrame, judgements: pd.DataFrame, bootstraps: tuple[Bootstrap, Bootstrap]
) -> Estimate:
    """Correlate, over images that both tasks show, the first endpoint's share of the mass with the mean lambda_h.

    Args:
        soft: What `soft_category_table` made.
        judgements: What `judgement_table` made.
        bootstraps: Resamples of the people of each.
    """
    shared = sorted(set(soft["filename"]) & set(judgements["filename"]))
    if len(shared) < 3:
        return NOTHING
    place = {name: i for i, name in enumerate(shared)}
    left = endpoint_share(soft[soft["filename"].isin(place)])
    right = judgements[judgements["filename"].isin(place)]
    first = bootstraps[0].weights.shape[1]

    def means(part: pd.DataFrame, column: str, weights: Array) -> Array:
        image, person = part["filename"].map(place).to_numpy(np.int64), part["person"].to_numpy(np.int64)
        return weighted.cell_means(weights, person, image, part[column].to_numpy(float), len(shared))

    def correlate(weights: Array) -> Array:
        return weighted.row_correlation(
            means(left, "share", weights[:, :first]), means(right, "lambda_h", weights[:, first:])
        )

    people = left["person"].nunique() + right["person"].nunique()
    return bootstraps[0].joined(bootstraps[1]).estimate(correlate, len(shared), people, CORRELATION)

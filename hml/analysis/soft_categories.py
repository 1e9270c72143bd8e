"""What people call a mixed image when all classes are open: how much falls on neither endpoint."""

import pandas as pd

from hml.statistics import weighted
from hml.statistics.estimates import SHARE
from hml.statistics.jackknife import Jackknife

MEASURES = {
    "outside": "mass on classes that are neither endpoint's",
    "neither": "most probable class is neither endpoint's",
    "mass_1": "mass on the first endpoint's class",
    "mass_2": "mass on the second endpoint's class",
}


def summarise_soft_categories(table: pd.DataFrame, jackknife: Jackknife) -> pd.DataFrame:
    """Average each measure of a `soft_category_table` over all answers (lambda_f "all"), and at each lambda_f."""
    table = table.assign(
        neither=((table["top"] != table["class_1"]) & (table["top"] != table["class_2"])).astype(float)
    )
    rows = []
    for level, part in [("all", table), *table.groupby("lambda_f", sort=True)]:
        for measure in MEASURES:
            estimate = weighted.estimate_mean(jackknife, part, part[measure].to_numpy(float), SHARE)
            rows.append({"lambda_f": level, "measure": measure, **estimate.as_dict()})
    return pd.DataFrame(rows)


def endpoint_share(table: pd.DataFrame) -> pd.DataFrame:
    """Add `share`: the first endpoint's part of what falls on both, NaN for answers that give neither anything."""
    both = table["mass_1"] + table["mass_2"]
    return table.assign(share=table["mass_1"] / both.where(both > 0))

"""Where people put the middle between two images, built or picked, and whether that agrees with their judgements."""

import numpy as np
import pandas as pd

from hml.analysis.quality import ALIKE
from hml.analysis.reliability import count_pairs, disagreement, retest_error
from hml.judgements.tables import first_judgements, name_image_pairs
from hml.statistics import weighted
from hml.statistics.estimates import COMPARISON, NOTHING, SHARE, SIZE, Estimate
from hml.statistics.jackknife import Jackknife

_MIDDLE = 0.5


def summarise_midpoints(table: pd.DataFrame, jackknife: Jackknife) -> dict[str, Estimate]:
    """Summarise one task's midpoints, which `midpoint_table` made.

    Returns:
        `mean`; `distance` (mean |midpoint − .5|); `exact` (share at .5); `disagreement` (mean |difference| of two
        people on a pair of images); `varied` (the mean without people who answer alike, where there are
        any); `retest` (mean |first − again|); `pull` (how much lower midpoints are that were
        searched from below .5 than from above), which needs a start on both sides.
    """
    away = np.abs(table["lambda_m"].to_numpy(float) - _MIDDLE)
    once = first_judgements(table)

    # Pairs that were shown twice by chance are no retests.
    retested = table[table["is_repeat"] | table.index.isin(once.index)]
    again, repeats, repeaters = retest_error(retested, "lambda_m")
    return {
        "mean": _mean(table, jackknife),
        "distance": weighted.estimate_mean(jackknife, table, away, SHARE),
        "exact": weighted.estimate_mean(jackknife, table, (away < 1e-6).astype(float), SHARE),
        "disagreement": jackknife.estimate(disagreement(once, 1, "lambda_m"), *count_pairs(once), COMPARISON),
        "varied": _mean_of_varied(table, jackknife),
        "retest": jackknife.estimate(again, repeats, repeaters, SIZE.for_other_images) if repeats else NOTHING,
        "pull": _pull(table, jackknife),
    }


def _mean(table: pd.DataFrame, jackknife: Jackknife) -> Estimate:
    return weighted.estimate_mean(jackknife, table, table["lambda_m"].to_numpy(float), SHARE)


def _mean_of_varied(table: pd.DataFrame, jackknife: Jackknife) -> Estimate:
    """Average the midpoints of people who don't answer alike, if some do and some don't."""
    commonest = table.groupby("person")["lambda_m"].transform(lambda said: said.value_counts(normalize=True).iloc[0])
    varied = table[commonest < ALIKE]
    if len(varied) in (0, len(table)):
        return NOTHING
    return _mean(varied, jackknife)


def _pull(table: pd.DataFrame, jackknife: Jackknife) -> Estimate:
    """Subtract the mean midpoint of searches from below .5 from that of searches from above; needs both."""
    started = table[table["start"].notna()]
    sides = [started[started["start"] > _MIDDLE], started[started["start"] <= _MIDDLE]]
    if sides[0].empty or sides[1].empty:
        return NOTHING

    above, below = (weighted.mean_of(side, side["lambda_m"].to_numpy(float)) for side in sides)

    return jackknife.estimate(lambda weights: above(weights) - below(weights), len(started), table["person"].nunique())


def implied_midpoints(judgements: pd.DataFrame) -> pd.DataFrame:
    """Return the judgements of even blends, each with its `pair` of images and `implied`, 1 − lambda_h.

    Someone who sees more than half of the first image in an even blend should put the middle below .5.
    """
    even = judgements[(judgements["lambda_f"] - _MIDDLE).abs() < 1e-9]
    return even.assign(pair=name_image_pairs(even), implied=1 - even["lambda_h"])


def pair_midpoints(construct: pd.DataFrame, select: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """Average the answers of each task to each pair of images that is in all of them.

    Returns:
        One row per pair of images: pair; the mean midpoint and answers of `construct` and of `select`;
        `inferred`, 1 − the mean lambda_h at .5, which is on the same side of .5 as the midpoint; and its answers.
    """
    tables = {"construct": construct, "select": select, "inferred": implied_midpoints(judgements)}
    columns = {}
    for name, table in tables.items():
        groups = table.groupby("pair")["implied" if name == "inferred" else "lambda_m"]
        columns[name], columns[f"{name}_n"] = groups.mean(), groups.size()
    return pd.DataFrame(columns).dropna().reset_index(names="pair")

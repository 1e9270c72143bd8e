"""Where people put the middle between two images, by building or picking it, and whether it fits what they infer."""

import numpy as np
import pandas as pd

from hml.analysis.quality import ALIKE
from hml.analysis.reliability import count_pairs, disagreement
from hml.judgements.tables import first_judgements, name_image_pairs
from hml.statistics import weighted
from hml.statistics.bootstrap import CORRELATION, NOTHING, SHARE, Array, Bootstrap, Estimate

_MIDDLE = 0.5


def summarise_midpoints(table: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Summarise one task's midpoints.

    Args:
        table: What `midpoint_table` made.
        bootstrap: Resamples of its people.

    Returns:
        `mean`; `distance` (mean |midpoint − .5|); `exact` (share at .5); `disagreement` (mean |difference| of two
        people on a pair of images); `varied` (the mean without people who answer alike, where there are
        any); `retest` (mean |first − again|); `pull` (how much lower midpoints are that were
        searched from below .5 than from above), which needs a start on both sides.
    """
    person, lambda_m = table["person"].to_numpy(np.int64), table["lambda_m"].to_numpy(float)
    away = np.abs(lambda_m - _MIDDLE)
    n, people = len(table), table["person"].nunique()
    once = first_judgements(table.assign(image=pd.factorize(table["pair"])[0]))
    pairs, paired = count_pairs(once)
    found = {
        "mean": bootstrap.estimate(weighted.mean_of(person, lambda_m), n, people, SHARE),
        "distance": bootstrap.estimate(weighted.mean_of(person, away), n, people, SHARE),
        "exact": bootstrap.estimate(weighted.mean_of(person, (away < 1e-6).astype(float)), n, people, SHARE),
        "disagreement": bootstrap.estimate(disagreement(once, 1, "lambda_m"), pairs, paired, SHARE),
        "varied": NOTHING,
        "retest": NOTHING,
        "pull": NOTHING,
    }
    commonest = table.groupby("person")["lambda_m"].agg(lambda said: said.value_counts(normalize=True).iloc[0])
    varied = commonest.loc[person].to_numpy(float) < ALIKE
    if varied.any() and not varied.all():
        those = person[varied]
        mean_of_those = weighted.mean_of(those, lambda_m[varied])
        found["varied"] = bootstrap.estimate(mean_of_those, len(those), len(np.unique(those)), SHARE)
    repeats = table[table["is_repeat"] & ~table.index.isin(once.index)]
    again = once.merge(repeats, on=["person", "pair"], suffixes=("_first", "_again"))
    if len(again):
        change = (again["lambda_m_first"] - again["lambda_m_again"]).abs().to_numpy(float)
        who = again["person"].to_numpy(np.int64)
        found["retest"] = bootstrap.estimate(weighted.mean_of(who, change), len(again), len(np.unique(who)))
    above = table["start"] > _MIDDLE
    started = table["start"].notna()
    if above[started].nunique() == 2:

        def pull(weights: Array) -> Array:
            means = [weighted.mean(weights, person[rows], lambda_m[rows]) for rows in (above, started & ~above)]
            return means[0] - means[1]

        found["pull"] = bootstrap.estimate(pull, int(started.sum()), people)
    return found


def implied_midpoints(judgements: pd.DataFrame) -> pd.DataFrame:
    """Take the judgements of even blends, each with its `pair` of images and `implied`, 1 − lambda_h.

    Who sees more than half of the first image in an even blend would put the middle below .5.
    """
    even = judgements[(judgements["lambda_f"] - _MIDDLE).abs() < 1e-9]
    return even.assign(pair=name_image_pairs(even), implied=1 - even["lambda_h"])


def pair_midpoints(construct: pd.DataFrame, select: pd.DataFrame, judgements: pd.DataFrame) -> pd.DataFrame:
    """Average what each task says of each pair of images that all of them show.

    Args:
        construct: The construct task's `midpoint_table`.
        select: The select task's.
        judgements: The inference task's `judgement_table`, of which blends at lambda_f = .5 count.

    Returns:
        One row a pair of images: pair; the mean midpoint and answers of `construct` and of `select`;
        `inferred`, the midpoint's side that the judgements imply (1 − mean lambda_h at .5), and its answers.
    """
    even = implied_midpoints(judgements)
    columns = {}
    for name, table, value in (
        ("construct", construct, "lambda_m"),
        ("select", select, "lambda_m"),
        ("inferred", even, "implied"),
    ):
        groups = table.groupby("pair")[value]
        columns[name], columns[f"{name}_n"] = groups.mean(), groups.size()
    shared = pd.DataFrame(columns).dropna()
    return shared.reset_index(names="pair")


def agreement(
    tables: tuple[pd.DataFrame, pd.DataFrame], values: tuple[str, str], bootstraps: tuple[Bootstrap, Bootstrap]
) -> Estimate:
    """Correlate two tasks' mean answers over the pairs of images that both show, resampling the people of both.

    Args:
        tables: Each task's answers, with `pair` and `person`.
        values: The column of each that is averaged.
        bootstraps: Resamples of each task's people.

    Returns:
        The correlation; n counts pairs of images.
    """
    shared = sorted(set(tables[0]["pair"]) & set(tables[1]["pair"]))
    if len(shared) < 3:
        return NOTHING
    place = {pair: i for i, pair in enumerate(shared)}
    kept = [table[table["pair"].isin(place)] for table in tables]
    people = sum(part["person"].nunique() for part in kept)
    first = bootstraps[0].weights.shape[1]

    def means(which: int, weights: Array) -> Array:
        part = kept[which]
        cell = part["pair"].map(place).to_numpy(np.int64)
        person, said = part["person"].to_numpy(np.int64), part[values[which]].to_numpy(float)
        return weighted.cell_means(weights, person, cell, said, len(shared))

    def correlate(weights: Array) -> Array:
        return weighted.row_correlation(means(0, weights[:, :first]), means(1, weights[:, first:]))

    joined = bootstraps[0].joined(bootstraps[1])
    return joined.estimate(correlate, len(shared), people, CORRELATION)

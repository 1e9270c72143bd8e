"""How far people agree with themselves and with each other, and so how well any relabeller could do."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from hml.analysis.pairs import CurveFits
from hml.judgements.curve_fitting import respond
from hml.judgements.tables import first_judgements
from hml.statistics import weighted
from hml.statistics.estimates import (
    COMPARISON,
    CORRELATION,
    FEWEST_COMPARED,
    NOTHING,
    SIZE,
    Array,
    Estimate,
    Index,
    Kind,
)
from hml.statistics.jackknife import Jackknife, Statistic, Weights

Comparison = Callable[[Weights], tuple[Array, Array]]
"""Takes weights and returns those of differences, shape (R, M), and the differences, (R, M) or (M,)."""

RELABELLERS = {
    "self": "the same person, asked again",
    "others": "the mean of the other people on the image",
    "pair_curve": "the class pair's curve, fitted without this person",
    "overall_curve": "the overall curve, fitted without this person",
    "mixup": "mixup: λ_f itself",
    "another": "another person on the image",
}


def retests(table: pd.DataFrame, column: str = "lambda_h") -> pd.DataFrame:
    """Pair each repeated answer with the person's first of the image: judgement (the repeat), person, first, again."""
    firsts = first_judgements(table)
    again = table.drop(index=firsts.index).drop_duplicates(["person", "image"])
    both = firsts.merge(again, on=["person", "image"], suffixes=("_first", "_again"))
    names = {f"{column}_first": "first", f"{column}_again": "again", "judgement_again": "judgement"}
    return both.rename(columns=names)[["judgement", "person", "first", "again"]]


def retest_error(table: pd.DataFrame, column: str = "lambda_h", power: int = 1) -> tuple[Statistic, int, int]:
    """Return the statistic of the mean |first − again|^power, the repeats and the people behind it."""
    pairs = retests(table, column)
    change = (pairs["first"] - pairs["again"]).abs().to_numpy(float) ** power
    return weighted.mean_of(pairs, change), len(pairs), pairs["person"].nunique()


def dyads(table: pd.DataFrame, column: str = "lambda_h") -> tuple[Index, Index, Array]:
    """Pair the answers of two people to one image: the codes of both judgements and their difference, (M,) each."""
    said = table[["judgement", "image", "person", column]]
    both = said.merge(said, on="image", suffixes=("_a", "_b"))
    both = both[both["person_a"] < both["person_b"]]
    a, b = (both[f"judgement_{side}"].to_numpy(np.int64) for side in "ab")
    return a, b, (both[f"{column}_a"] - both[f"{column}_b"]).to_numpy(float)


def disagreement(table: pd.DataFrame, power: int, column: str = "lambda_h") -> Statistic:
    """Return the statistic of the mean |difference|^power of any two people's answers to one image; NaN without any.

    Args:
        table: First judgements, with `judgement`, `image`, `person` and the column.
        power: 1 or 2.
        column: The column of answers.
    """
    a, b, difference = dyads(table, column)
    return lambda weights: weighted.mean(weights.of_dyads(a, b), np.abs(difference) ** power)


def count_people(table: pd.DataFrame) -> tuple[int, int]:
    """Count the rows of a table, and the people in its column `person`."""
    return len(table), table["person"].nunique()


def count_pairs(table: pd.DataFrame) -> tuple[int, int]:
    """Count pairs of people who judged the same image, and the people in them."""
    size = table.groupby("image")["person"].transform("nunique")
    judged = table.groupby("image")["person"].nunique()
    return int((judged * (judged - 1) // 2).sum()), table.loc[size > 1, "person"].nunique()


def compare_with_others(table: pd.DataFrame) -> Comparison:
    """Compare each judgement with the mean of the other people's on its image; every image has two people or more."""
    groups = table.groupby("image")["lambda_h"]
    own, size = table["lambda_h"], groups.transform("size")
    difference = (own - (groups.transform("sum") - own) / (size - 1)).to_numpy(float)
    return lambda weights: (weights.of_company(table), difference)


def compare_with_curves(table: pd.DataFrame) -> dict[str, Comparison]:
    """Compare each judgement with the overall curve and its class pair's, fitted to everyone else's judgements.

    The spread of the pairs' curves is estimated once, on all judgements. Weights change the curves too: those without
    a person shift as the curves of all judgements do.
    """
    fits, person = CurveFits.of(table), table["person"].to_numpy(np.int64)
    cells, judgements = fits.cells, int(table["judgement"].max()) + 1
    without = np.ones((int(person.max()) + 1, judgements))
    without[person, table["judgement"]] = 0

    def compare(fit: Callable[[Weights], Array], group: Index) -> Comparison:
        def evaluate(weights: Weights) -> Array:
            return respond(fit(weights)[:, group], cells.lambda_f)  # (R, C)

        difference = cells.lambda_h - evaluate(Weights(without, np.ones_like(without)))[person, cells.member]
        curve = evaluate(Weights.ones(judgements))
        return lambda weights: (weights.of(table), difference - (evaluate(weights) - curve)[:, cells.member])

    return {
        "overall_curve": compare(lambda weights: fits.overall(weights)[:, None], np.zeros_like(cells.group)),
        "pair_curve": compare(fits.pairs, cells.group),
    }


def score_relabellers(table: pd.DataFrame, jackknife: Jackknife) -> pd.DataFrame:
    """Score relabellers by how far they are from one person's judgement, from a table with repeats.

    Returns:
        One row for each relabeller that can be scored and measure ("mae": mean absolute error; "rmse").
    """
    once, again = first_judgements(table), retests(table)
    accompanied = once[once.groupby("image")["person"].transform("nunique") > 1]
    a, b, apart = dyads(once)
    repeated = (again["first"] - again["again"]).to_numpy(float)
    error = (once["lambda_h"] - once["lambda_f"]).to_numpy(float)
    scored: dict[str, tuple[Comparison, int, int, Kind]] = {
        "self": (lambda weights: (weights.of(again), repeated), *count_people(again), SIZE.for_other_images),
        "another": (lambda weights: (weights.of_dyads(a, b), apart), *count_pairs(once), COMPARISON),
        "others": (compare_with_others(accompanied), *count_people(accompanied), COMPARISON),
        "mixup": (lambda weights: (weights.of(once), error), *count_people(once), SIZE),
    }
    if once["person"].nunique() > 1:
        scored |= {name: (curve, *count_people(once), SIZE) for name, curve in compare_with_curves(once).items()}
    rows = []
    for name in (name for name in RELABELLERS if name in scored and scored[name][1]):
        comparison, n, people, kind = scored[name]
        estimates = jackknife.estimates(partial(_errors, comparison), [n, n], [people, people], kind)
        rows += [
            {"relabeller": name, "measure": measure, **estimate.as_dict()}
            for measure, estimate in zip(("mae", "rmse"), estimates, strict=True)
        ]
    return pd.DataFrame(rows)


def ceilings(table: pd.DataFrame, jackknife: Jackknife) -> dict[str, Estimate]:
    """Bound what any relabeller that gives an image one number can reach against one person's judgement.

    Two people's squared difference is twice the variance within images, which no such relabeller explains. The absolute
    error only has a bound: it is at least half of the mean difference of two people. The table has repeats.

    Returns:
        `retest` (mean |first − again|), `retest_correlation`, `disagreement` (mean |difference| of two people),
        `floor_rmse`, `floor_mae`, `ceiling_correlation` (between relabels and judgements), `mixup_correlation`.
    """
    once, again = first_judgements(table), retests(table)
    absolute, squared = disagreement(once, 1), disagreement(once, 2)
    x, y = (once[name].to_numpy(float) for name in ("lambda_f", "lambda_h"))
    retest = retest_error(table)
    same = weighted.correlation_of(again, again["first"].to_numpy(), again["again"].to_numpy())
    two = count_pairs(once)
    ceiling = replace(CORRELATION, fewest_people=FEWEST_COMPARED, same_images=False)
    statistics: dict[str, tuple[Statistic, int, int, Kind]] = {
        "disagreement": (absolute, *two, COMPARISON),
        "floor_rmse": (lambda weights: np.sqrt(squared(weights) / 2), *two, COMPARISON),
        "floor_mae": (lambda weights: absolute(weights) / 2, *two, COMPARISON),
        "ceiling_correlation": (partial(_ceiling, once, y, squared), *two, ceiling),
        "mixup_correlation": (weighted.correlation_of(once, x, y), *count_people(once), CORRELATION),
        "retest": (*retest, SIZE.for_other_images),
        "retest_correlation": (same, *retest[1:], CORRELATION.for_other_images),
    }
    return {
        name: jackknife.estimate(statistic, n, people, kind) if n else NOTHING
        for name, (statistic, n, people, kind) in statistics.items()
    }


def agreement(tables: tuple[pd.DataFrame, pd.DataFrame], key: str, values: tuple[str, str]) -> Estimate:
    """Correlate two tasks' mean answers over what both show, by different people of the same pairs of endpoints.

    Args:
        tables: Each task's answers, with the key, `person`, `id_1` and `id_2`.
        key: The column that names what was shown, which the estimate's n counts.
        values: The column of each that is averaged; answers without a value don't count.
    """
    shared = sorted(set(tables[0][key]) & set(tables[1][key]))
    if len(shared) < 3:
        return NOTHING
    place = {name: i for i, name in enumerate(shared)}
    kept = [t[t[key].isin(place) & t[value].notna()] for t, value in zip(tables, values, strict=True)]
    both = pd.concat(
        [
            pd.DataFrame(
                {"shown": part[key].map(place), "value": part[value], "annotator": part["person"], "task": task}
            )
            for task, (part, value) in enumerate(zip(kept, values, strict=True))
        ],
        ignore_index=True,
    )
    person = pd.factorize(pd.MultiIndex.from_frame(both[["task", "annotator"]]))[0].astype(np.int64)
    cell, first = both["shown"].to_numpy(np.int64), (both["task"] == 0).to_numpy()
    jackknife = Jackknife(person, cell + len(shared) * ~first, cell)

    def correlate(weights: Weights) -> Array:
        means = [
            weighted.cell_means(weights.judgements[:, which], cell[which], both["value"].to_numpy()[which], len(shared))
            for which in (first, ~first)
        ]
        rows = np.array([np.flatnonzero(cell == i)[0] for i in range(len(shared))])
        return weighted.correlation(weights.endpoints[:, rows], *means)

    return jackknife.estimate(correlate, len(shared), len(np.unique(person)), CORRELATION)


def _ceiling(table: pd.DataFrame, lambda_h: Array, squared: Statistic, weights: Weights) -> Array:
    """Correlate single answers with the best number an image can have: the root of its share of the variance."""
    within = squared(weights) / 2
    mean = weighted.mean(weights.of(table), lambda_h)
    total = weighted.mean(weights.of(table), lambda_h**2) - mean**2
    return np.sqrt(np.clip(1 - within / np.where(total > 0, total, np.nan), 0, 1))


def _errors(comparison: Comparison, weights: Weights) -> Array:
    """Return the mean absolute and the root mean squared difference, shape (R, 2)."""
    own, difference = comparison(weights)
    return np.stack([weighted.mean(own, np.abs(difference)), np.sqrt(weighted.mean(own, difference**2))], axis=1)

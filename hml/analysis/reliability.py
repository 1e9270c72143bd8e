"""How far people agree with themselves and with each other, and so how well any relabeller could do."""

from functools import partial

import numpy as np
import pandas as pd

from hml.analysis.pairs import CurveFits
from hml.judgements.curve_fitting import respond
from hml.judgements.tables import first_judgements
from hml.statistics import weighted
from hml.statistics.bootstrap import (
    ANYWHERE,
    CORRELATION,
    NOTHING,
    SHARE,
    Array,
    Bootstrap,
    Bounds,
    Estimate,
    Index,
    Statistic,
)

RELABELLERS = {
    "self": "the same person, asked again",
    "others": "the mean of the other people on the image",
    "pair_curve": "the class pair's curve, fitted without this person",
    "overall_curve": "the overall curve, fitted without this person",
    "mixup": "mixup: λ_f itself",
    "another": "another person on the image",
}


def retests(table: pd.DataFrame, column: str = "lambda_h") -> pd.DataFrame:
    """Pair each repeated answer with the person's first of the image: person, first, again."""
    firsts = first_judgements(table)
    again = table.drop(index=firsts.index).drop_duplicates(["person", "image"])
    both = firsts.merge(again, on=["person", "image"], suffixes=("_first", "_again"))
    return both.rename(columns={f"{column}_first": "first", f"{column}_again": "again"})[["person", "first", "again"]]


def retest_error(table: pd.DataFrame, column: str = "lambda_h", power: int = 1) -> tuple[Statistic, int, int]:
    """Return the statistic of the mean |first − again|^power, the repeats and the people behind it."""
    pairs = retests(table, column)
    change = (pairs["first"] - pairs["again"]).abs().to_numpy(float) ** power
    return weighted.mean_of(pairs["person"].to_numpy(np.int64), change), len(pairs), pairs["person"].nunique()


def disagreement(table: pd.DataFrame, power: int, column: str = "lambda_h") -> Statistic:
    """Return the statistic of the mean |difference|^power of any two people's answers to one image; NaN without any.

    Args:
        table: First judgements, with `image`, `person` and the column.
        power: 1 or 2.
        column: What is compared.
    """
    said = table[["image", "person", column]]
    both = said.merge(said, on="image", suffixes=("_a", "_b"))
    both = both[both["person_a"] != both["person_b"]]
    a, b = (both[f"person_{side}"].to_numpy(np.int64) for side in "ab")
    apart = (both[f"{column}_a"] - both[f"{column}_b"]).abs().to_numpy(float) ** power
    num_people = int(table["person"].max()) + 1
    sums = partial(weighted.sums_by_person, a, b, num_people=num_people, num_cells=num_people)
    matrices = [sums(values=values) for values in (apart, np.ones_like(apart))]

    def statistic(weights: Array) -> Array:
        own = weights[:, :num_people]
        total, pairs = (((own @ matrix) * own).sum(1) for matrix in matrices)
        return np.where(pairs > 0, total / np.where(pairs > 0, pairs, 1), np.nan)

    return statistic


def count_pairs(table: pd.DataFrame) -> tuple[int, int]:
    """Count pairs of people who judged the same image, and the people in them."""
    size = table.groupby("image")["person"].transform("nunique")
    judged = table.groupby("image")["person"].nunique()
    return int((judged * (judged - 1) // 2).sum()), table.loc[size > 1, "person"].nunique()


def errors_of(table: pd.DataFrame) -> dict[str, tuple[Index, Array]]:
    """Compare each judgement, without repeats, with relabellers that can be scored one judgement at a time.

    Returns:
        For "mixup", "overall_curve" and "pair_curve": each judgement's person and difference. Curves are fitted to
        everyone else's judgements. The spread of the pairs' curves is estimated once, on all.
    """
    person = table["person"].to_numpy(np.int64)
    errors = {"mixup": (person, (table["lambda_h"] - table["lambda_f"]).to_numpy(float))}
    if table["person"].nunique() > 1:
        fits = CurveFits.of(table)
        without = 1.0 - np.eye(int(person.max()) + 1)
        cells, member = fits.cells, fits.cells.member
        overall, of_pair = fits.overall(without)[person], fits.pairs(without)[person, cells.group[member]]
        for name, curves in (("overall_curve", overall), ("pair_curve", of_pair)):
            errors[name] = (person, cells.lambda_h - respond(curves, cells.lambda_f[member]))
    return errors


def score_relabellers(table: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Score relabellers by how far they are from one person's judgement, from a table with repeats.

    Returns:
        One row for each relabeller that can be scored and measure ("mae": mean absolute error; "rmse").
    """
    once = first_judgements(table)
    accompanied = once[once.groupby("image")["person"].transform("nunique") > 1]
    rows = []
    for measure, power in (("mae", 1), ("rmse", 2)):
        others = partial(_against_others, accompanied, power)
        scored: dict[str, tuple[Statistic, int, int]] = {
            "self": retest_error(table, power=power),
            "another": (disagreement(once, power), *count_pairs(once)),
            "others": (others, len(accompanied), accompanied["person"].nunique()),
        }
        for name, (person, error) in errors_of(once).items():
            scored[name] = (weighted.mean_of(person, np.abs(error) ** power), len(error), len(np.unique(person)))
        for name, (statistic, n, people) in scored.items():
            if n:
                estimate = bootstrap.estimate(_root(statistic, power), n, people, SHARE)
                rows.append({"relabeller": name, "measure": measure, **estimate.as_dict()})
    order = list(RELABELLERS)
    frame = pd.DataFrame(rows)
    return frame.sort_values("relabeller", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)


def ceilings(table: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Bound what any relabeller that gives an image one number can reach against one person's judgement.

    Two people's squared difference is twice the variance within images, which no such relabeller explains. For the
    absolute error there are only bounds: it can't be below half of what two people differ by. The table has repeats.

    Returns:
        `retest` (mean |first − again|), `retest_correlation`, `disagreement` (mean |difference| of two people),
        `floor_rmse`, `floor_mae`, `ceiling_correlation` (between relabels and judgements), `mixup_correlation`.
    """
    once, again = first_judgements(table), retests(table)
    absolute, squared = disagreement(once, 1), disagreement(once, 2)
    person, repeater = (rows["person"].to_numpy(np.int64) for rows in (once, again))
    x, y = (once[name].to_numpy(float) for name in ("lambda_f", "lambda_h"))
    retest = retest_error(table)
    same = weighted.correlation_of(repeater, again["first"].to_numpy(), again["again"].to_numpy())
    two = count_pairs(once)
    statistics: dict[str, tuple[Statistic, int, int, Bounds]] = {
        "disagreement": (absolute, *two, ANYWHERE),
        "floor_rmse": (lambda weights: np.sqrt(squared(weights) / 2), *two, ANYWHERE),
        "floor_mae": (lambda weights: absolute(weights) / 2, *two, ANYWHERE),
        "ceiling_correlation": (partial(_ceiling, person, y, squared), *two, CORRELATION),
        "mixup_correlation": (weighted.correlation_of(person, x, y), len(once), once["person"].nunique(), CORRELATION),
        "retest": (*retest, ANYWHERE),
        "retest_correlation": (same, *retest[1:], CORRELATION),
    }
    return {
        name: bootstrap.estimate(statistic, n, people, bounds) if n else NOTHING
        for name, (statistic, n, people, bounds) in statistics.items()
    }


def agreement(
    tables: tuple[pd.DataFrame, pd.DataFrame],
    key: str,
    values: tuple[str, str],
    bootstraps: tuple[Bootstrap, Bootstrap],
) -> Estimate:
    """Correlate two tasks' mean answers over what both show, resampling the people of both.

    Args:
        tables: Each task's answers, with the key and `person`.
        key: The column that names what was shown, which the estimate's n counts.
        values: The column of each that is averaged; answers without a value don't count.
        bootstraps: Resamples of each task's people.
    """
    shared = sorted(set(tables[0][key]) & set(tables[1][key]))
    if len(shared) < 3:
        return NOTHING
    place = {name: i for i, name in enumerate(shared)}
    kept = [t[t[key].isin(place) & t[value].notna()] for t, value in zip(tables, values, strict=True)]
    first = bootstraps[0].weights.shape[1]

    def means(which: int, weights: Array) -> Array:
        part = kept[which]
        cell, person = part[key].map(place).to_numpy(np.int64), part["person"].to_numpy(np.int64)
        return weighted.cell_means(weights, person, cell, part[values[which]].to_numpy(float), len(shared))

    def correlate(weights: Array) -> Array:
        return weighted.row_correlation(means(0, weights[:, :first]), means(1, weights[:, first:]))

    people = sum(part["person"].nunique() for part in kept)
    return bootstraps[0].joined(bootstraps[1]).estimate(correlate, len(shared), people, CORRELATION)


def _ceiling(person: Index, lambda_h: Array, squared: Statistic, weights: Array) -> Array:
    """Correlate single answers with the best number an image can have: the root of its share of the variance."""
    within = squared(weights) / 2
    mean = weighted.mean(weights, person, lambda_h)
    total = weighted.mean(weights, person, lambda_h**2) - mean**2
    return np.sqrt(np.clip(1 - within / np.where(total > 0, total, np.nan), 0, 1))


def _root(statistic: Statistic, power: int) -> Statistic:
    return statistic if power == 1 else lambda weights: np.sqrt(statistic(weights))


def _against_others(table: pd.DataFrame, power: int, weights: Array) -> Array:
    """Average |judgement − mean of the other people's on the image|^power, shape (R,)."""
    image = pd.factorize(table["image"])[0].astype(np.int64)
    person, lambda_h = table["person"].to_numpy(np.int64), table["lambda_h"].to_numpy(float)
    num_people, num_images = weights.shape[1], int(image.max(initial=-1)) + 1
    count = weights @ weighted.sums_by_person(person, image, np.ones_like(lambda_h), num_people, num_images)
    total = weights @ weighted.sums_by_person(person, image, lambda_h, num_people, num_images)
    own = weights[:, person]  # (R, N)
    others = count[:, image] - own
    left = np.where(others > 0, own, 0)
    difference = lambda_h - (total[:, image] - own * lambda_h) / np.where(others > 0, others, 1)
    summed = left.sum(1)
    return np.where(summed > 0, (left * np.abs(difference) ** power).sum(1) / np.where(summed > 0, summed, 1), np.nan)

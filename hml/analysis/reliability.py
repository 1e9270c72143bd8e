"""How far people agree with themselves and with each other, and so how well any relabeller could do."""

from functools import partial

import numpy as np
import pandas as pd

from hml.analysis.pairs import CurveFits
from hml.judgements.curve_fitting import respond
from hml.judgements.tables import first_judgements
from hml.statistics import weighted
from hml.statistics.estimates import (
    ANYWHERE,
    CORRELATION,
    NOTHING,
    SHARE,
    Array,
    Bounds,
    Estimate,
)
from hml.statistics.jackknife import Jackknife, Statistic, Weights

_ONE_ANSWER = ("pair_curve", "overall_curve", "mixup")
"""Relabellers that are compared with one answer to an image at a time."""

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


def disagreement(table: pd.DataFrame, power: int, column: str = "lambda_h") -> Statistic:
    """Return the statistic of the mean |difference|^power of any two people's answers to one image; NaN without any.

    Args:
        table: First judgements, with `judgement`, `image`, `person` and the column.
        power: 1 or 2.
        column: What is compared.
    """
    said = table[["judgement", "image", "person", column]]
    both = said.merge(said, on="image", suffixes=("_a", "_b"))
    both = both[both["person_a"] < both["person_b"]]
    a, b = (both[f"judgement_{side}"].to_numpy(np.int64) for side in "ab")
    apart = (both[f"{column}_a"] - both[f"{column}_b"]).abs().to_numpy(float) ** power
    return lambda weights: weighted.mean(weights.of_dyads(a, b), apart)


def count_pairs(table: pd.DataFrame) -> tuple[int, int]:
    """Count pairs of people who judged the same image, and the people in them."""
    size = table.groupby("image")["person"].transform("nunique")
    judged = table.groupby("image")["person"].nunique()
    return int((judged * (judged - 1) // 2).sum()), table.loc[size > 1, "person"].nunique()


def errors_of(table: pd.DataFrame) -> dict[str, Array]:
    """Compare each judgement, without repeats, with relabellers that can be scored one judgement at a time.

    Returns:
        For "mixup", "overall_curve" and "pair_curve": each judgement's difference. Curves are fitted to
        everyone else's judgements. The spread of the pairs' curves is estimated once, on all.
    """
    person = table["person"].to_numpy(np.int64)
    errors = {"mixup": (table["lambda_h"] - table["lambda_f"]).to_numpy(float)}
    if table["person"].nunique() > 1:
        fits = CurveFits.of(table)
        without = np.ones((int(person.max()) + 1, int(table["judgement"].max()) + 1))
        without[person, table["judgement"]] = 0
        others = Weights(without, np.ones_like(without))
        cells, member = fits.cells, fits.cells.member
        overall, of_pair = fits.overall(others)[person], fits.pairs(others)[person, cells.group[member]]
        for name, curves in (("overall_curve", overall), ("pair_curve", of_pair)):
            errors[name] = cells.lambda_h - respond(curves, cells.lambda_f[member])
    return errors


def score_relabellers(table: pd.DataFrame, jackknife: Jackknife) -> pd.DataFrame:
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
        for name, error in errors_of(once).items():
            scored[name] = (weighted.mean_of(once, np.abs(error) ** power), len(error), once["person"].nunique())
        for name, (statistic, n, people) in scored.items():
            if n:
                estimate = jackknife.estimate(
                    _root(statistic, power), n, people, SHARE, same_images=name in _ONE_ANSWER
                )
                rows.append({"relabeller": name, "measure": measure, **estimate.as_dict()})
    order = list(RELABELLERS)
    frame = pd.DataFrame(rows)
    return frame.sort_values("relabeller", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)


def ceilings(table: pd.DataFrame, jackknife: Jackknife) -> dict[str, Estimate]:
    """Bound what any relabeller that gives an image one number can reach against one person's judgement.

    Two people's squared difference is twice the variance within images, which no such relabeller explains. For the
    absolute error there are only bounds: it can't be below half of what two people differ by. The table has repeats.

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
    statistics: dict[str, tuple[Statistic, int, int, Bounds]] = {
        "disagreement": (absolute, *two, ANYWHERE),
        "floor_rmse": (lambda weights: np.sqrt(squared(weights) / 2), *two, ANYWHERE),
        "floor_mae": (lambda weights: absolute(weights) / 2, *two, ANYWHERE),
        "ceiling_correlation": (partial(_ceiling, once, y, squared), *two, CORRELATION),
        "mixup_correlation": (weighted.correlation_of(once, x, y), len(once), once["person"].nunique(), CORRELATION),
        "retest": (*retest, ANYWHERE),
        "retest_correlation": (same, *retest[1:], CORRELATION),
    }
    return {
        name: jackknife.estimate(statistic, n, people, bounds, same_images=name == "mixup_correlation")
        if n
        else NOTHING
        for name, (statistic, n, people, bounds) in statistics.items()
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


def _root(statistic: Statistic, power: int) -> Statistic:
    return statistic if power == 1 else lambda weights: np.sqrt(statistic(weights))


def _against_others(table: pd.DataFrame, power: int, weights: Weights) -> Array:
    """Average |judgement − mean of the other people's on the image|^power, shape (R,)."""
    image = pd.factorize(table["image"])[0].astype(np.int64)
    lambda_h, num_images = table["lambda_h"].to_numpy(float), int(image.max(initial=-1)) + 1
    own = weights.of(table)  # (R, N)
    count = weighted.sums(own, image, np.ones_like(lambda_h), num_images)
    total = weighted.sums(own, image, lambda_h, num_images)
    others = count[:, image] - own
    left = np.where(others > 0, own, 0)
    difference = lambda_h - (total[:, image] - own * lambda_h) / np.where(others > 0, others, 1)
    summed = left.sum(1)
    return np.where(summed > 0, (left * np.abs(difference) ** power).sum(1) / np.where(summed > 0, summed, 1), np.nan)

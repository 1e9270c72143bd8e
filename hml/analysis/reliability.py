"""How far people agree with themselves and with each other, and so how well any relabeller could do."""

from functools import partial

import numpy as np
import pandas as pd

from hml.analysis.pairs import CurveFits
from hml.judgements.curve_fitting import respond
from hml.judgements.tables import first_judgements
from hml.statistics import weighted
from hml.statistics.bootstrap import CORRELATION, NOTHING, Array, Bootstrap, Estimate, Index, Statistic

RELABELLERS = {
    "self": "the same person, asked again",
    "others": "the mean of the other people on the image",
    "pair_curve": "the class pair's curve, fitted without this person",
    "overall_curve": "the overall curve, fitted without this person",
    "mixup": "mixup: λ_f itself",
    "another": "another person on the image",
}


def retests(table: pd.DataFrame) -> pd.DataFrame:
    """Pair each repeated judgement with the person's first of the image: person, first, again."""
    firsts = first_judgements(table)
    again = table.drop(index=firsts.index).drop_duplicates(["person", "image"])
    both = firsts.merge(again, on=["person", "image"], suffixes=("_first", "_again"))
    return both.rename(columns={"lambda_h_first": "first", "lambda_h_again": "again"})[["person", "first", "again"]]


def retest_error(table: pd.DataFrame) -> tuple[Statistic, int, int]:
    """Return the statistic of the mean |first − again|, the repeats and the people behind it."""
    pairs = retests(table)
    person, change = pairs["person"].to_numpy(np.int64), (pairs["first"] - pairs["again"]).abs().to_numpy(float)
    return weighted.mean_of(person, change), len(pairs), pairs["person"].nunique()


def disagreement(table: pd.DataFrame, power: int, column: str = "lambda_h") -> Statistic:
    """Return the average of |difference|^power over all pairs of different people who judged the same image.

    Args:
        table: First judgements, with `image`, `person` and the column.
        power: 1 or 2.
        column: What is compared.

    Returns:
        The statistic; NaN where no two people judged the same image.
    """
    said = table[["image", "person", column]]
    both = said.merge(said, on="image", suffixes=("_a", "_b"))
    both = both[both["person_a"] != both["person_b"]]
    a, b = (both[f"person_{side}"].to_numpy(np.int64) for side in "ab")
    apart = (both[f"{column}_a"] - both[f"{column}_b"]).abs().to_numpy(float) ** power
    num_people = int(table["person"].max()) + 1
    matrices = [
        weighted.sums_by_person(a, b, values, num_people, num_people) for values in (apart, np.ones_like(apart))
    ]

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
    """Compare each judgement with relabellers that can be scored one judgement at a time.

    Args:
        table: Judgements without repeats.

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
        x = cells.lambda_f[member]
        for name, curves in (
            ("overall_curve", fits.overall(without)[person]),
            ("pair_curve", fits.pairs(without)[person, cells.group[member]]),
        ):
            errors[name] = (person, cells.lambda_h - respond(curves, x))
    return errors


def score_relabellers(table: pd.DataFrame, bootstrap: Bootstrap) -> pd.DataFrame:
    """Score relabellers by how far they are from one person's judgement.

    Args:
        table: What `judgement_table` made, with repeats.
        bootstrap: Resamples of its people.

    Returns:
        One row for each relabeller that can be scored and measure ("mae": mean absolute error; "rmse"): relabeller,
        measure, value, low, high, n, people.
    """
    once = first_judgements(table)
    rows = []

    def add(name: str, statistic: Statistic, n: int, people: int, measure: str) -> None:
        if n:
            estimate = bootstrap.estimate(statistic, n, people, (0.0, 1.0))
            rows.append({"relabeller": name, "measure": measure, **estimate.as_dict()})

    again = retests(table)
    pairs, paired = count_pairs(once)
    for measure, power in (("mae", 1), ("rmse", 2)):
        change = (again["first"] - again["again"]).abs().to_numpy(float) ** power
        person = again["person"].to_numpy(np.int64)
        add("self", _root(weighted.mean_of(person, change), power), len(again), again["person"].nunique(), measure)
        add("another", _root(disagreement(once, power), power), pairs, paired, measure)
        for name, (who, error) in errors_of(once).items():
            statistic = _root(weighted.mean_of(who, np.abs(error) ** power), power)
            add(name, statistic, len(error), len(np.unique(who)), measure)
        accompanied = once[once.groupby("image")["person"].transform("nunique") > 1]
        others = _root(partial(_against_others, accompanied, power), power)
        add("others", others, len(accompanied), accompanied["person"].nunique(), measure)
    order = list(RELABELLERS)
    frame = pd.DataFrame(rows)
    return frame.sort_values("relabeller", key=lambda names: names.map(order.index), kind="stable", ignore_index=True)


def ceilings(table: pd.DataFrame, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Bound what any relabeller that gives an image one number can reach against one person's judgement.

    Two people's squared difference is twice the variance within images, which no such relabeller explains. For the
    absolute error there are only bounds: it can't be below half of what two people differ by.

    Args:
        table: What `judgement_table` made, with repeats.
        bootstrap: Resamples of its people.

    Returns:
        `retest` (mean |first − again|), `retest_correlation`, `disagreement` (mean |difference| of two people),
        `floor_rmse`, `floor_mae`, `ceiling_correlation` (between relabels and judgements), `mixup_correlation`.
    """
    once, again = first_judgements(table), retests(table)
    pairs, paired = count_pairs(once)
    person = once["person"].to_numpy(np.int64)
    lambda_h, lambda_f = (once[name].to_numpy(float) for name in ("lambda_h", "lambda_f"))
    who, first, second = again["person"].to_numpy(np.int64), again["first"].to_numpy(), again["again"].to_numpy()
    change, repeats, repeaters = retest_error(table)

    absolute, squared = disagreement(once, 1), disagreement(once, 2)

    def ceiling(weights: Array) -> Array:
        within = squared(weights) / 2
        mean = weighted.mean(weights, person, lambda_h)
        total = weighted.mean(weights, person, lambda_h**2) - mean**2
        return np.sqrt(np.clip(1 - within / np.where(total > 0, total, np.nan), 0, 1))

    def floor_mae(weights: Array) -> Array:
        return absolute(weights) / 2

    def floor_rmse(weights: Array) -> Array:
        return np.sqrt(squared(weights) / 2)

    people = once["person"].nunique()
    found = {
        "disagreement": bootstrap.estimate(absolute, pairs, paired),
        "floor_rmse": bootstrap.estimate(floor_rmse, pairs, paired),
        "floor_mae": bootstrap.estimate(floor_mae, pairs, paired),
        "ceiling_correlation": bootstrap.estimate(ceiling, pairs, paired, CORRELATION),
        "mixup_correlation": bootstrap.estimate(
            weighted.correlation_of(person, lambda_f, lambda_h), len(once), people, CORRELATION
        ),
        "retest": NOTHING,
        "retest_correlation": NOTHING,
    }
    if repeats:
        found["retest"] = bootstrap.estimate(change, repeats, repeaters)
        found["retest_correlation"] = bootstrap.estimate(
            weighted.correlation_of(who, first, second), repeats, repeaters, CORRELATION
        )
    return found


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

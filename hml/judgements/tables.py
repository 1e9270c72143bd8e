"""Judgements as tables: one row per judgement, and one row per image."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from hml.judgements import Classes, Judgement, Midpoint, SoftCategories, Stimulus, drop_repeats

_MOST_LEVELS = 21
_LEVEL_WIDTH = 0.05


def judgement_table(judgements: Iterable[Judgement]) -> pd.DataFrame:
    """Tabulate judgements.

    Returns:
        One row per judgement, in their order: what is known of the image (filename, lambda_f, class_1, class_2, id_1,
        id_2), the answer (lambda_h, omega, reaction_ms, is_repeat; NaN where omega or reaction_ms isn't known),
        error = |lambda_h − lambda_f|; codes that count from 0: `judgement` by row, `image` and its pair of `endpoints`
        by first appearance, and `person` by the annotators' names in order; and `level`, lambda_f itself, or to the
        nearest .05 where there are more than 21 different ones.
    """
    judgements = list(judgements)
    table = pd.DataFrame(
        [
            {
                **_describe(j.stimulus),
                "annotator": j.annotator,
                "lambda_h": j.lambda_h,
                "omega": np.nan if j.omega is None else j.omega,
                "reaction_ms": np.nan if j.reaction_ms is None else j.reaction_ms,
                "is_repeat": j.is_repeat,
            }
            for j in judgements
        ]
    )
    table["error"] = (table["lambda_h"] - table["lambda_f"]).abs()
    table["image"] = pd.factorize(table["filename"])[0]
    table = _add_codes(table)
    few = table["lambda_f"].nunique() <= _MOST_LEVELS
    binned = ((table["lambda_f"] / _LEVEL_WIDTH).round() * _LEVEL_WIDTH).round(9)
    table["level"] = table["lambda_f"] if few else binned
    return table


class _Row(NamedTuple):
    label: int
    person: int
    image: int
    is_repeat: bool


def first_judgements(table: pd.DataFrame) -> pd.DataFrame:
    """Keep one judgement of each image by each person, as `drop_repeats` does.

    Args:
        table: One row per judgement, with `image`, `person` and `is_repeat`.
    """
    rows = [_Row(*row) for row in table.sort_index()[["person", "image", "is_repeat"]].itertuples()]
    return table.loc[[row.label for row in drop_repeats(rows, lambda row: (row.person, row.image))]]


def image_table(table: pd.DataFrame) -> pd.DataFrame:
    """Average judgements over each image.

    Args:
        table: The result of `judgement_table`, possibly without omega.

    Returns:
        One row per image, by first appearance: the columns of the image, the number of judgements (n) and of people,
        the mean lambda_h and omega (if given), the standard deviation of lambda_h (ddof 0), and
        error = |mean lambda_h − lambda_f|.
    """
    groups = table.groupby("image", sort=True)
    known = ["filename", "lambda_f", "level", "class_1", "class_2", "id_1", "id_2"]
    images = groups[known].first()
    images["n"] = groups.size()
    images["people"] = groups["person"].nunique()
    images["lambda_h"] = groups["lambda_h"].mean()
    images["spread"] = groups["lambda_h"].std(ddof=0)
    if "omega" in table:
        images["omega"] = groups["omega"].mean()
    images["error"] = (images["lambda_h"] - images["lambda_f"]).abs()
    return images.reset_index()


def midpoint_table(midpoints: Iterable[Midpoint]) -> pd.DataFrame:
    """Tabulate midpoints: one row per answer, with the name of its two images (`pair`) and the person's code."""
    table = pd.DataFrame(
        [
            {
                "id_1": m.endpoints[0].image_id,
                "id_2": m.endpoints[1].image_id,
                "annotator": m.annotator,
                "lambda_m": m.lambda_m,
                "start": np.nan if m.start is None else m.start,
                "is_repeat": m.is_repeat,
            }
            for m in midpoints
        ]
    )
    table["pair"] = name_image_pairs(table)
    table["image"] = pd.factorize(table["pair"])[0]
    return _add_codes(table)


def name_image_pairs(table: pd.DataFrame) -> "pd.Series[str]":
    """Name each row's pair of images, "id_1_id_2"."""
    return table["id_1"].astype(str) + "_" + table["id_2"].astype(str)


def with_pair_names(classes: Classes, frame: pd.DataFrame) -> pd.DataFrame:
    """Replace class_1 and class_2 by a first column `pair`, "Cat/Dog"."""
    named = frame.drop(columns=["class_1", "class_2"])
    pairs = [classes.name_pair(int(a), int(b)) for a, b in zip(frame["class_1"], frame["class_2"], strict=True)]
    named.insert(0, "pair", pairs)
    return named


def soft_category_table(answers: Iterable[SoftCategories]) -> pd.DataFrame:
    """Tabulate answers over all classes: one row per answer, with the mass on each endpoint and on all other classes.

    Returns:
        The columns of the image, and mass_1, mass_2, outside, top (the most probable class), top_mass, person.
    """
    table = pd.DataFrame(
        [
            {
                **_describe(a.stimulus),
                "annotator": a.annotator,
                "is_repeat": a.is_repeat,
                "mass_1": a.probabilities[a.stimulus.endpoints[0].label],
                "mass_2": a.probabilities[a.stimulus.endpoints[1].label],
                "top": int(np.argmax(a.probabilities)),
                "top_mass": max(a.probabilities),
            }
            for a in answers
        ]
    )
    table["outside"] = (1 - table["mass_1"] - table["mass_2"]).clip(lower=0)
    table["image"] = pd.factorize(table["filename"])[0]
    return _add_codes(table)


def _add_codes(table: pd.DataFrame) -> pd.DataFrame:
    """Add what judgements are crossed by: `judgement`, `person` and `endpoints`, whichever of the two is first."""
    ends = np.sort(table[["id_1", "id_2"]].to_numpy(np.int64), axis=1)
    keys = pd.Series(list(map(tuple, ends.tolist())), index=table.index, dtype=object)
    return table.assign(
        judgement=np.arange(len(table)),
        person=pd.factorize(table["annotator"], sort=True)[0],
        endpoints=pd.factorize(keys)[0],
    )


def _describe(stimulus: Stimulus) -> dict[str, object]:
    first, second = stimulus.endpoints
    return {
        "filename": stimulus.filename,
        "lambda_f": stimulus.lambda_f,
        "class_1": first.label,
        "class_2": second.label,
        "id_1": first.image_id,
        "id_2": second.image_id,
    }

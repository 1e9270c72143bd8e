"""Grouped cross-validation: no image pair, or no person, is in both parts of a split."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hml.errors import InputError
from hml.randomness import Draws
from hml.reporting.sections import count
from hml.statistics.estimates import Index

SPLITS = {"pair": "image pairs held out", "annotator": "people held out"}
"""The groups of each cross-validation, and its description."""

_FEWEST_PAIRS = 2
"""The boosting baseline fits its noise on image pairs that its trees were not fitted to, so it needs two."""


@dataclass(frozen=True)
class Splits:
    """The possible splits, and a sentence for each that is not possible."""

    chosen: list[str]
    left_out: list[str]


def group_by_pair(table: pd.DataFrame) -> Index:
    """Number the pairs of endpoint images, in either order, shape (N,)."""
    ends = table[["id_1", "id_2"]].to_numpy(np.int64)
    return np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def groups_of(table: pd.DataFrame, split: str) -> Index:
    """Return the group of each judgement in a split, shape (N,)."""
    return group_by_pair(table) if split == "pair" else table["person"].to_numpy(np.int64)


def choose_splits(table: pd.DataFrame, folds: int, seed: int) -> Splits:
    """Choose the possible splits.

    A split needs two groups or more, and in every fold judgements of two image pairs or more to learn from.

    Raises:
        InputError: there are more folds than groups, or no split is possible.
    """
    groups = {split: groups_of(table, split) for split in SPLITS}
    pairs, people = (len(np.unique(group)) for group in groups.values())
    found = f"the judgements are of {count(pairs, 'image pair')} by {count(people, 'person', 'people')}"
    if pairs < _FEWEST_PAIRS or (pairs == _FEWEST_PAIRS and people == 1):
        raise InputError(
            "hml relabel evaluate needs judgements of 3 image pairs or more, or of 2 image pairs by 2 people or "
            f"more: {found}."
        )
    most = min(number for number in (pairs, people) if number > 1)
    if not 2 <= folds <= most:
        raise InputError(f"--folds {folds} must be {f'2 to {most}' if most > 2 else 2}: {found}.")
    chosen, left_out = [], []
    for split, group in groups.items():
        if len(np.unique(group)) < 2:
            left_out.append(f"Scores with {SPLITS[split]}: all judgements are by one person.")
        elif _fewest_pairs(groups["pair"], group, folds, seed) < _FEWEST_PAIRS:
            left_out.append(
                f"Scores with {SPLITS[split]}: in one of {folds} folds, all judgements to learn from are of one "
                "image pair, and two or more are needed."
            )
        else:
            chosen.append(split)
    if not chosen:
        raise InputError(
            f"With --folds {folds} there is a fold in which all judgements to learn from are of one image pair, and "
            f"two or more are needed: {found}. Set --folds higher or collect judgements of more image pairs."
        )
    return Splits(chosen, left_out)


def _fewest_pairs(pair: Index, group: Index, folds: int, seed: int) -> int:
    """Return the smallest number of image pairs to learn from, over the folds."""
    return min(len(np.unique(pair[learn])) for learn, _ in grouped_folds(group, folds, seed))


def grouped_folds(group: Index, folds: int, seed: int) -> Iterator[tuple[Index, Index]]:
    """Split judgements into a part to learn from and a part that is held out, once for each fold.

    Args:
        group: The group that each judgement belongs to, shape (N,), counted from 0.
        folds: Number of folds. Each judgement is held out once.
        seed: The seed of the assignment of groups to folds.

    Yields:
        Positions to learn from and positions held out.

    Raises:
        InputError: there are fewer groups than folds, or fewer than two folds.
    """
    groups = np.unique(group)
    if not 2 <= folds <= len(groups):
        raise InputError(f"folds={folds} must be 2 to {len(groups)}, the number of groups.")
    shuffled = Draws(seed, 0, groups).order("folds")
    for held_out in np.array_split(shuffled, folds):
        is_held_out = np.isin(group, held_out)
        yield np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)

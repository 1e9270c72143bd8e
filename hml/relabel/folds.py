"""Folds for cross-validation that keep groups whole: nothing of an image pair, or of a person, is on both sides."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from hml.errors import InputError
from hml.randomness import Draws

Index = npt.NDArray[np.int64]


def group_by_pair(table: pd.DataFrame) -> Index:
    """Number the pairs of endpoint images, in either order, shape (N,): the images mixed of a pair share a number."""
    ends = table[["id_1", "id_2"]].to_numpy(np.int64)
    return np.unique(np.sort(ends, axis=1), axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def grouped_folds(group: Index, folds: int, seed: int) -> Iterator[tuple[Index, Index]]:
    """Split judgements into a part to learn from and a part that is held out, once for each fold.

    Args:
        group: The group that each judgement belongs to, shape (N,), counted from 0.
        folds: How many parts; each judgement is held out once.
        seed: Decides which groups go together.

    Yields:
        Positions to learn from and positions held out.

    Raises:
        InputError: there are fewer groups than folds, or fewer than two folds.
    """
    check_folds(group, folds)
    shuffled = Draws(seed, 0, np.unique(group)).order("folds")
    for held_out in np.array_split(shuffled, folds):
        is_held_out = np.isin(group, held_out)
        learn, test = np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
        assert not set(group[learn]) & set(group[test]), "no group may be on both sides"
        yield learn, test


def check_folds(group: Index, folds: int) -> None:
    """Refuse a number of folds that the groups, shape (N,), can't be shared out to.

    Raises:
        InputError: there are fewer groups than folds, or fewer than two folds.
    """
    groups = len(np.unique(group))
    if not 2 <= folds <= groups:
        raise InputError(f"--folds {folds} must be 2 to {groups}: that many image pairs or people there are.")

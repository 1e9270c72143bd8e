"""Proposes which mixed images people should judge next: new ones, and judged ones that deserve another opinion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from hml.data import ImageBank
from hml.errors import InputError
from hml.judgements import Endpoint, Stimulus, name_stimulus
from hml.labels import MixedBatch
from hml.relabel.acquisition import Acquisition, Choice, Pool, choose
from hml.relabel.acquisition.pool import blends, is_near, judged_images
from hml.relabel.candidates import draw_mixes, draw_targets
from hml.relabel.encoding import concatenate, take
from hml.relabel.relabeller import Relabeller
from hml.statistics.bootstrap import Index


@dataclass(frozen=True)
class Wanted:
    """What may be proposed.

    Args:
        count: How many images.
        pairs: Class pairs to mix.
        images: The ids of the originals to mix.
        lambdas: Values of lambda_f for new images.
        per_image: An image that has so many opinions isn't proposed again; 1 proposes new images only.
        candidates: How many new mixed images to choose from.
        seed: Decides what is drawn.
    """

    count: int
    pairs: Sequence[tuple[int, int]]
    images: Index
    lambdas: Sequence[float]
    per_image: int
    candidates: int
    seed: int


@dataclass(frozen=True)
class Proposal:
    """A mixed image to ask about.

    Args:
        stimulus: The image.
        score: What one more opinion on it teaches, given those proposed before it.
        reason: What the score is, and whether the image is new.
    """

    stimulus: Stimulus
    score: float
    reason: str


def propose(
    relabeller: Relabeller, bank: ImageBank, table: pd.DataFrame, acquisition: Acquisition, wanted: Wanted
) -> tuple[list[Proposal], Pool]:
    """Propose images: a pure function of the arguments.

    Args:
        relabeller: Fitted to the judgements, with two members or more.
        bank: The original images.
        table: The judgements so far, each person's first of an image.
        acquisition: Ranks the images.
        wanted: What may be proposed.

    Returns:
        The proposals, best first, and the pool that they are of.

    Raises:
        InputError: fewer images may be proposed than are wanted.
    """
    pool = gather_pool(relabeller, bank, table, wanted)
    choice = choose(acquisition, pool, wanted.count)
    if len(choice.rows) < wanted.count:
        raise InputError(
            f"--count {wanted.count}: only {len(choice.rows)} images that differ may be proposed. Raise --candidates, "
            "or allow more --pairs, --images or --lambdas."
        )
    return _describe(pool, choice, bank, acquisition.reason), pool


def gather_pool(relabeller: Relabeller, bank: ImageBank, table: pd.DataFrame, wanted: Wanted) -> Pool:
    """Gather new mixed images, and judged ones that may have another opinion."""
    judged, opinions = judged_images(table, len(bank.classes))
    fresh = draw_mixes(
        bank, wanted.pairs, wanted.candidates, wanted.lambdas, (wanted.seed, "candidates"), wanted.images
    )
    new = find_new(fresh, judged)
    again = np.flatnonzero((opinions < wanted.per_image) & _is_allowed(judged, wanted))
    batch = concatenate(take(judged, torch.from_numpy(again)), take(fresh, torch.from_numpy(new)))
    counts = np.concatenate([opinions[again], np.zeros(len(new), np.int64)])
    return Pool(relabeller, batch, counts, table, draw_targets(bank, wanted.seed), wanted.seed)


def find_new(fresh: MixedBatch, judged: MixedBatch) -> Index:
    """Return the rows of fresh mixes that nearly duplicate no judged image."""
    known: dict[tuple[int, int], list[float]] = {}
    for low, high, weight in zip(*(column.tolist() for column in blends(judged)), strict=True):
        known.setdefault((low, high), []).append(weight)
    rows = [
        row
        for row, (low, high, weight) in enumerate(zip(*(column.tolist() for column in blends(fresh)), strict=True))
        if not any(is_near(weight, other) for other in known.get((low, high), ()))
    ]
    return np.array(rows, dtype=np.int64)


def _is_allowed(judged: MixedBatch, wanted: Wanted) -> npt.NDArray[np.bool_]:
    """Return whether each judged image is of the wanted class pairs and originals, shape (I,)."""
    pairs = {frozenset(pair) for pair in wanted.pairs}
    of_pair = [frozenset(ends) in pairs for ends in zip(judged.class_1.tolist(), judged.class_2.tolist(), strict=True)]
    of_images = [np.isin(ids.numpy(), wanted.images) for ids in (judged.id_1, judged.id_2)]
    allowed: npt.NDArray[np.bool_] = np.array(of_pair, dtype=bool) & of_images[0] & of_images[1]
    return allowed


def _describe(pool: Pool, choice: Choice, bank: ImageBank, reason: str) -> list[Proposal]:
    proposals = []
    for row, score in zip(choice.rows.tolist(), choice.scores.tolist(), strict=True):
        columns = (pool.batch.id_1, pool.batch.class_1, pool.batch.id_2, pool.batch.class_2)
        id_1, class_1, id_2, class_2 = (int(column[row]) for column in columns)
        lambda_f = round(float(pool.batch.lambda_f[row]), 6)  # from single precision
        stimulus = name_stimulus(bank.classes, lambda_f, Endpoint(id_1, class_1), Endpoint(id_2, class_2))
        opinions = int(pool.opinions[row])
        asked = f"another opinion: {opinions} so far" if opinions else "new image"
        proposals.append(Proposal(stimulus, score, f"{reason}; {asked}"))
    return proposals

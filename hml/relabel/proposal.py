"""Proposes which mixed images people should judge next: new ones, and judged ones that deserve another opinion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from hml.data import ImageBank
from hml.errors import InputError
from hml.judgements import Endpoint, name_stimulus
from hml.judgements.stimuli_file import Proposal
from hml.judgements.stimulus_names import is_blend
from hml.labels import MixedBatch
from hml.relabel.acquisition import Acquisition, Choice, Pool, choose
from hml.relabel.acquisition.pool import blends, is_near, judged_images
from hml.relabel.candidates import draw_mixes, draw_targets
from hml.relabel.encoding import concatenate, take
from hml.relabel.relabeller import Relabeller
from hml.statistics.estimates import Index

_DECIMALS = 6
"""What single precision keeps of lambda_f."""


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

    Raises:
        InputError: a number is too small, or a lambda_f is none that people can be asked about.
    """

    count: int
    pairs: Sequence[tuple[int, int]]
    images: Index
    lambdas: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)
    per_image: int = 3
    candidates: int = 20_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, flag in (("count", "count"), ("per_image", "per-image"), ("candidates", "candidates")):
            if getattr(self, name) < 1:
                raise InputError(f"--{flag} {getattr(self, name)} must be 1 or more.")
        if wrong := [weight for weight in self.lambdas if not is_blend(weight)] or not self.lambdas:
            raise InputError(f"--lambdas {wrong or ''} must be between 0 and 1, with three decimals at most.")


@dataclass(frozen=True)
class Batch:
    """What is proposed.

    Args:
        proposals: The images, best first.
        pool: All that might have been proposed.
        again: How many of the images have been judged before.
    """

    proposals: list[Proposal]
    pool: Pool
    again: int


def propose(
    relabeller: Relabeller, bank: ImageBank, table: pd.DataFrame, acquisition: Acquisition, wanted: Wanted
) -> Batch:
    """Propose images: a pure function of the arguments.

    Args:
        relabeller: Fitted to the judgements, with two members or more.
        bank: The original images.
        table: The judgements so far, each person's first of an image.
        acquisition: Ranks the images.
        wanted: What may be proposed.

    Returns:
        The batch.

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
    again = int((pool.opinions[choice.rows] > 0).sum())
    return Batch(_describe(pool, choice, bank, acquisition.reason), pool, again)


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
    weights = [is_blend(round(weight, _DECIMALS)) for weight in judged.lambda_f.tolist()]
    allowed: npt.NDArray[np.bool_] = np.array(of_pair) & of_images[0] & of_images[1] & np.array(weights)
    return allowed


def _describe(pool: Pool, choice: Choice, bank: ImageBank, reason: str) -> list[Proposal]:
    proposals = []
    for row, score in zip(choice.rows.tolist(), choice.scores.tolist(), strict=True):
        columns = (pool.batch.id_1, pool.batch.class_1, pool.batch.id_2, pool.batch.class_2)
        id_1, class_1, id_2, class_2 = (int(column[row]) for column in columns)
        lambda_f = round(float(pool.batch.lambda_f[row]), _DECIMALS)
        stimulus = name_stimulus(bank.classes, lambda_f, Endpoint(id_1, class_1), Endpoint(id_2, class_2))
        opinions = int(pool.opinions[row])
        asked = f"another opinion: {opinions} so far" if opinions else "new image"
        proposals.append(Proposal(stimulus, score, f"{reason}; {asked}"))
    return proposals

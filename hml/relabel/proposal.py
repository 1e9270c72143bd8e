"""Proposes mixed images that people should judge next: new images, and further opinions on judged ones."""

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
from hml.relabel.acquisition import Choice, ExpectedInformation, Pool, choose
from hml.relabel.acquisition.pool import blends, is_near, judged_images
from hml.relabel.candidates import draw_mixes, draw_targets, find_originals
from hml.relabel.command import Propose
from hml.relabel.encoding import concatenate, take
from hml.relabel.relabeller import Relabeller
from hml.statistics.estimates import Index

_DECIMALS = 6
"""Decimals of lambda_f that single precision represents."""


@dataclass(frozen=True)
class Batch:
    """Proposed images, best first, the pool that they were chosen from, and how many of them were judged before."""

    proposals: list[Proposal]
    pool: Pool
    again: int


def propose(relabeller: Relabeller, bank: ImageBank, table: pd.DataFrame, options: Propose) -> Batch:
    """Propose images. A pure function of the arguments.

    Args:
        relabeller: Fitted to the judgements, with two members or more.
        bank: The original images.
        table: The judgements so far, each person's first of an image.
        options: What may be proposed, and what ranks it. Files are not read.

    Raises:
        InputError: there are fewer images than `count`, or a class pair or an image does not exist.
    """
    pool = _gather_pool(relabeller, bank, table, options)
    acquisition = options.acquisition or ExpectedInformation()
    choice = choose(acquisition, pool, options.count)
    if len(choice.rows) < options.count:
        raise InputError(
            f"--count {options.count}: only {len(choice.rows)} different images may be proposed. Raise --candidates, "
            "or allow more --pairs, --images or --lambdas."
        )
    again = int((pool.opinions[choice.rows] > 0).sum())
    return Batch(_describe(pool, choice, bank, acquisition.reason), pool, again)


def _gather_pool(relabeller: Relabeller, bank: ImageBank, table: pd.DataFrame, options: Propose) -> Pool:
    """Gather new mixed images, and judged ones that may have another opinion."""
    pairs = [bank.classes.parse_pair(pair) for pair in options.pairs] or bank.classes.pairs
    images = find_originals(bank, options.images)
    judged, opinions = judged_images(table, len(bank.classes))
    draws_of = options.seed, "candidates"
    fresh = draw_mixes(bank, pairs, options.candidates, options.lambdas, draws_of, images)
    new = find_new(fresh, judged)
    again = np.flatnonzero((opinions < options.per_image) & _is_allowed(judged, pairs, images))
    batch = concatenate(take(judged, torch.from_numpy(again)), take(fresh, torch.from_numpy(new)))
    counts = np.concatenate([opinions[again], np.zeros(len(new), np.int64)])
    return Pool(relabeller, batch, counts, table, draw_targets(bank, options.seed), options.seed)


def find_new(fresh: MixedBatch, judged: MixedBatch) -> Index:
    """Return the rows of fresh mixes that are no near-duplicates of a judged image."""
    known: dict[tuple[int, int], list[float]] = {}
    for low, high, weight in zip(*(column.tolist() for column in blends(judged)), strict=True):
        known.setdefault((low, high), []).append(weight)
    rows = [
        row
        for row, (low, high, weight) in enumerate(zip(*(column.tolist() for column in blends(fresh)), strict=True))
        if not any(is_near(weight, other) for other in known.get((low, high), ()))
    ]
    return np.array(rows, dtype=np.int64)


def _is_allowed(judged: MixedBatch, pairs: Sequence[tuple[int, int]], images: Index) -> npt.NDArray[np.bool_]:
    """Return whether each judged image is of these class pairs and originals, shape (I,)."""
    allowed_pairs, ends = {frozenset(pair) for pair in pairs}, torch.stack([judged.class_1, judged.class_2], dim=1)
    of_pair = [frozenset(pair) in allowed_pairs for pair in ends.tolist()]
    of_images = [np.isin(ids.numpy(), images) for ids in (judged.id_1, judged.id_2)]
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

"""`Pool`: mixed images that could be judged next, and the relabeller's predictions for them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from hml.errors import InputError
from hml.judgements.annotators import fit_crowd
from hml.labels import MixedBatch
from hml.relabel.answers import Answers
from hml.relabel.encoding import encode, swap, swap_where, take
from hml.relabel.network import NOBODY, AnswerNetwork, Described
from hml.relabel.relabeller import Relabeller
from hml.statistics.estimates import Array, Index

CELLS = (0, *range(1, 50, 7), 50, *range(51, 100, 7), 100, 101)
"""The bounds of the slider's cells: the atoms, and intervals of seven positions. They are symmetric."""

NEAR = 0.1
"""Mixes of the same two originals are near-duplicates if their lambda_f differ by less than this."""

_PRIOR_SECONDS = 20


@dataclass(frozen=True)
class Pool:
    """N mixed images that people could be asked about, and the judgements so far.

    Args:
        relabeller: Fitted to the judgements so far, with two members or more.
        batch: The images.
        opinions: The number of people who have judged each image, shape (N,).
        table: The judgements so far, as `judgement_table` makes them.
        targets: The mixed images whose predictions matter, such as fresh mixes of the training images.
        seed: The seed of random draws.

    Raises:
        InputError: the relabeller has only one member.
    """

    relabeller: Relabeller
    batch: MixedBatch
    opinions: Index
    table: pd.DataFrame
    targets: MixedBatch
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.relabeller.networks) < 2:
            raise InputError("The relabeller has one member, and proposals compare members: fit it with --members 8.")

    def __len__(self) -> int:
        return len(self.opinions)

    @cached_property
    def answer_variance(self) -> Array:
        """The predicted variance of a first opinion, averaged over the members, shape (N,)."""
        middle = torch.tensor([(first + end - 1) / 200 for first, end in pairwise(CELLS)])
        variances = [
            cells @ middle.square() - (cells @ middle).square() for cells in member_cells(self.relabeller, self.batch)
        ]
        variance: Array = torch.stack(variances).mean(0).double().numpy()
        return np.maximum(variance, 1e-6)

    @cached_property
    def image_share(self) -> float:
        """See `estimate_image_share`."""
        return estimate_image_share(self.relabeller, self.table, self.batch.num_classes)

    @cached_property
    def noise(self) -> Array:
        """The variance of one more opinion as a measurement of the model, shape (N,): see `opinion_noise`."""
        noise: Array = self.answer_variance * opinion_noise(self.opinions, self.image_share)
        return noise

    def near(self, row: int) -> npt.NDArray[np.bool_]:
        """Return which images are near-duplicates of a row, itself included, shape (N,)."""
        low, high, weight = self._blends
        near: npt.NDArray[np.bool_] = (low == low[row]) & (high == high[row]) & is_near(weight, weight[row])
        return near

    @cached_property
    def _blends(self) -> tuple[Index, Index, Array]:
        return blends(self.batch)


def estimate_image_share(relabeller: Relabeller, table: pd.DataFrame, num_classes: int) -> float:
    """Estimate the share of the variance around the predictions that images cause. People cause the rest.

    It is estimated from images with several opinions, and shrunk to one half with the weight of twenty second opinions.

    Args:
        relabeller: Fitted to the judgements.
        table: Judgements, as `judgement_table` makes them.
        num_classes: Number of classes.
    """
    numbers, first, image = np.unique(table["image"].to_numpy(), return_index=True, return_inverse=True)
    seen = Answers.of(table.iloc[first], num_classes).batch
    expected = relabeller.mean(seen).double().numpy()
    one = np.zeros(len(table), np.int64)
    crowd = fit_crowd(table["lambda_h"].to_numpy(float), image.reshape(-1), one, expected, individual=False)
    found = float(crowd.image_variance / (crowd.image_variance + crowd.noise[0] ** 2))
    seconds = len(table) - len(numbers)
    return (seconds * found + _PRIOR_SECONDS / 2) / (seconds + _PRIOR_SECONDS)


def blends(batch: MixedBatch) -> tuple[Index, Index, Array]:
    """Return the lower and the higher id of each image's originals, and the weight of the lower, each of shape (N,)."""
    first, second = batch.id_1.numpy(), batch.id_2.numpy()
    weight = batch.lambda_f.double().numpy()
    return np.minimum(first, second), np.maximum(first, second), np.where(first < second, weight, 1 - weight)


def is_near(weight: ArrayLike, other: float) -> npt.NDArray[np.bool_]:
    """Return whether mixes of the same two originals are near-duplicates, given the weights of one original.

    Examples:
        >>> is_near([0.5, 0.55, 0.6], 0.5).tolist()
        [True, True, False]
    """
    near: npt.NDArray[np.bool_] = np.abs(np.asarray(weight) - other) < NEAR - 1e-6
    return near


def opinion_noise(opinions: Index, image_share: float) -> Array:
    """Return the variance of one more opinion as a measurement of the model, relative to that of the first.

    An answer's variance V is the sum of the images', τ² = share·V, and people's, s² = (1 − share)·V. The mean of n
    opinions measures the model with variance τ² + s²/n. Opinion n + 1 adds the inverse of
    ((n + 1)τ² + s²)·(nτ² + s²)/s² to the precision. If τ² = 0, further opinions on an image are worth as much as
    opinions on new images. The larger τ², the less they are worth.

    Args:
        opinions: The number of opinions, n, shape (N,).
        image_share: The images' share, in [0, 1).

    Examples:
        >>> opinion_noise(np.array([0, 1, 2]), 0.5).tolist()
        [1.0, 3.0, 6.0]
    """
    people = 1 - image_share
    relative: Array = ((opinions + 1) * image_share + people) * (opinions * image_share + people) / people
    return relative


def views(relabeller: Relabeller, batch: MixedBatch) -> Iterator[tuple[AnswerNetwork, Described, Described]]:
    """Yield each member, its description of the images, and that of the images with swapped endpoints."""
    inside = replace(batch, lambda_f=batch.lambda_f.clamp(*relabeller.judged))
    nobody = torch.full_like(batch.id_1, NOBODY)
    inputs, turned = (encode(side, relabeller.table) for side in (inside, swap(inside)))
    for network in relabeller.networks:
        yield network, network.describe(inputs, nobody), network.describe(turned, nobody)


@torch.no_grad()
def member_cells(relabeller: Relabeller, batch: MixedBatch, omega: bool = False) -> Iterator[Tensor]:
    """Yield each member's distribution over cells of the slider.

    Args:
        relabeller: The members.
        batch: N mixed images.
        omega: Whether to return the joint distribution of lambda_h and omega.

    Yields:
        Shape (N, K) for the K `CELLS` of lambda_h, or (N, K·K) with omega. Rows sum to 1.
    """
    for network, forward, backward in views(relabeller, batch):
        sides = (_cells(network, described, omega) for described in (forward, backward))
        straight, mirrored = sides
        yield ((straight + mirrored.flip(1)) / 2).flatten(1)


def _cells(network: AnswerNetwork, described: Described, omega: bool) -> Tensor:
    """Return the distribution over cells from one side, shape (N, K), or (N, K, K) with omega."""
    shares = network.lambda_h(described).shares(CELLS)  # (N, K)
    if not omega:
        return shares
    joint = []
    for share, (first, end) in zip(shares.T, pairwise(CELLS), strict=True):
        middle = torch.full_like(share, (first + end - 1) / 2)
        joint.append(share.unsqueeze(1) * network.omega(described, middle).shares(CELLS))  # (N, K)
    return torch.stack(joint, dim=1)


@torch.no_grad()
def member_means(relabeller: Relabeller, batch: MixedBatch) -> Array:
    """Return each member's mean lambda_h, shape (M, N)."""
    means = [replace(relabeller, networks=[network]).mean(batch) for network in relabeller.networks]
    stacked: Array = torch.stack(means).double().numpy()
    return stacked


@torch.no_grad()
def hidden_features(relabeller: Relabeller, batch: MixedBatch) -> Tensor:
    """Return the members' hidden units from both sides, the lower class first, shape (N, M·2·hidden)."""
    side = swap_where(batch, batch.class_1 > batch.class_2)
    return torch.cat([units.hidden for _, *both in views(relabeller, side) for units in both], dim=1)


def judged_images(table: pd.DataFrame, num_classes: int) -> tuple[MixedBatch, Index]:
    """Return the judged images, each once, and the number of judgements of each, shape (I,)."""
    _, first, count = np.unique(table["image"].to_numpy(), return_index=True, return_counts=True)
    batch = Answers.of(table, num_classes).batch
    return take(batch, torch.from_numpy(first)), count.astype(np.int64)

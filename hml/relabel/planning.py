"""Simulates studies from a relabeller, to find how many people and images a question needs.

The relabeller predicts the distribution of each simulated person's answer to each mixed image. The people are drawn
from those it learned from. Residuals are correlated by a Gaussian copula: answers to one image share a part, answers of
one person share another part, and the rest is independent.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from scipy.special import ndtr, ndtri

from hml.errors import InputError
from hml.judgements.curve_fitting import WEAK, estimate_dispersion, fit_groups, respond
from hml.labels import MixedBatch
from hml.randomness import Draws
from hml.relabel.answers import Answers
from hml.relabel.encoding import take
from hml.relabel.network import NOBODY
from hml.relabel.relabeller import Relabeller
from hml.relabel.slider import POSITIONS
from hml.statistics.estimates import Array, Index

Z = 1.959964
"""The normal distribution's 97.5 % point."""

_ROWS = 2000
_LEAST_MASS = 1e-9

Estimator = Callable[[Index, Index], Array]
"""Maps the images and the answers, in whole per cents, of R studies with N judgements each, both of shape (R, N), to an
estimate of each study, shape (R,)."""


@dataclass(frozen=True)
class Population:
    """People and mixed images that simulated studies draw from.

    Args:
        mass: The probability of each per cent of lambda_h, for P people and I images, shape (P, I, 101).
        image_share: The share of the variance around a prediction that answers to one image have in common, 0 to 1.
        person_share: The share that answers of one person have in common. Both sum to 1 at most.

    Raises:
        InputError: a number is out of its range.
    """

    mass: Array
    image_share: float = 0.0
    person_share: float = 0.0

    def __post_init__(self) -> None:
        if min(self.image_share, self.person_share) < 0 or self.image_share + self.person_share > 1:
            raise InputError(
                f"image_share={self.image_share} and person_share={self.person_share} must be 0 or more, and their sum "
                "at most 1."
            )

    @cached_property
    def reached(self) -> Array:
        """The probability of each per cent or less, shape (P, I, 101)."""
        reached: Array = np.cumsum(self.mass, axis=2)
        return reached


@dataclass(frozen=True)
class Design:
    """The size of a study.

    Args:
        people: Number of people.
        each: Number of images that each person judges.
        per_image: Number of people who judge each image.

    Raises:
        InputError: a number is too small, or more people judge an image than take part.
    """

    people: int
    each: int
    per_image: int = 3

    def __post_init__(self) -> None:
        if self.each < 1 or not 1 <= self.per_image <= self.people:
            raise InputError(
                f"{self.people} people with {self.each} images each and {self.per_image} people per image: each number "
                "must be 1 or more, and at least as many people must take part as judge one image."
            )

    @property
    def judgements(self) -> int:
        """The number of judgements."""
        return self.people * self.each

    @property
    def images(self) -> int:
        """The number of images. Nobody judges an image twice."""
        return max(self.each, -(-self.judgements // self.per_image))


@dataclass(frozen=True)
class Planned:
    """The expected precision of a design.

    Args:
        design: The design.
        half_width: Half of the estimate's 95 % interval: 1.96 standard deviations over the simulated studies.
        power: The probability of detecting the wanted difference at a level of 5 %.
    """

    design: Design
    half_width: float
    power: float


def simulate_studies(
    population: Population, design: Design, estimate: Estimator, studies: int = 400, seed: int = 0
) -> Array:
    """Simulate studies, and return the estimate of each, shape (R,). A pure function of the arguments.

    Args:
        population: The people and images to draw from.
        design: The size of a study.
        estimate: Computes the estimates.
        studies: The number of studies, R.
        seed: The seed of everything random.
    """
    num_people, num_images, _ = population.mass.shape
    draws = Draws(seed, 0, np.arange(studies))
    purpose = f"{design.people} people, {design.each} images each"
    person = (draws.uniform(f"people of {purpose}", (design.people,)) * num_people).astype(np.int64)  # (R, A)
    image = (draws.uniform(f"images of {purpose}", (design.images,)) * num_images).astype(np.int64)  # (R, I)
    of_image = ndtri(draws.uniform(f"own of images of {purpose}", (design.images,)))
    of_person = ndtri(draws.uniform(f"own of people of {purpose}", (design.people,)))
    own = ndtri(draws.uniform(f"answers of {purpose}", (design.judgements,)))
    place = np.arange(design.judgements)
    who, what = place // design.each, place % design.images
    shares = population.image_share, population.person_share
    by_image, by_person, by_answer = map(math.sqrt, (*shares, max(1 - sum(shares), 0)))
    position = np.empty((studies, design.judgements), np.int64)
    for study in range(studies):
        common = by_image * of_image[study, what] + by_person * of_person[study, who]
        level = ndtr(common + by_answer * own[study])  # (N,)
        reached = population.reached[person[study, who], image[study, what]]  # (N, 101)
        position[study] = (reached < level[:, None]).sum(1)
    return estimate(image[:, what], position.clip(max=POSITIONS - 1))


def plan(
    population: Population, design: Design, estimate: Estimator, effect: float, studies: int = 400, seed: int = 0
) -> Planned:
    """Simulate studies of a design, and summarise the precision of their estimates.

    Args:
        population: The people and images to draw from.
        design: The size of a study.
        estimate: Computes the estimates.
        effect: The difference to detect.
        studies: The number of simulated studies, two or more.
        seed: The seed of everything random.

    Examples:
        >>> mass = np.full((1, 1, 101), 1 / 101)  # one person, whose answers are uniform
        >>> def mean(image, position):
        ...     return position.mean(1) / 100
        >>> planned = plan(Population(mass), Design(people=25, each=4), mean, effect=0.1)
        >>> round(planned.half_width, 2), planned.power > 0.8  # 1.96 · sqrt(.085 / 100) = .057
        (0.06, True)
    """
    if studies < 2 or effect <= 0:
        raise InputError(f"studies={studies} must be 2 or more, and the difference effect={effect} above 0.")
    estimates = simulate_studies(population, design, estimate, studies, seed)
    half_width = Z * float(estimates.std(ddof=1))
    detected = np.abs(estimates - estimates.mean() + effect) > half_width
    return Planned(design, half_width, float(detected.mean()))


def mean_difference(difference: Array) -> Estimator:
    """Estimate the mean of a value of each answer, such as the difference of two models' bits.

    Args:
        difference: The value of each answer to each image, shape (I, 101).
    """

    def estimate(image: Index, position: Index) -> Array:
        mean: Array = difference[image, position].mean(1)
        return mean

    return estimate


def pair_bias(lambda_f: Array) -> Estimator:
    """Estimate the bias of one class pair's curve, as `fit_curve` does: the distance of its middle from 1/2.

    Args:
        lambda_f: The lambda_f of each image, shape (I,).
    """
    weights, cell = np.unique(lambda_f, return_inverse=True)
    group = np.zeros(len(weights), np.int64)

    def estimate(image: Index, position: Index) -> Array:
        studies = len(image)
        key = (cell[image] + len(weights) * np.arange(studies)[:, None]).ravel()
        answers = position.ravel() / 100

        def sums(values: Array) -> Array:  # (R, K)
            summed: Array = np.bincount(key, values, studies * len(weights)).astype(float).reshape(studies, -1)
            return summed

        count, total, squares = (sums(answers**power) for power in (0, 1, 2))
        pooled = [part.sum(0) for part in (count, total, squares)]
        found = fit_groups(weights, group, pooled[0][None], pooled[1][None], WEAK, 1.0, 1)[0][0, 0]
        dispersion = estimate_dispersion(respond(found, weights), pooled[0], pooled[1], pooled[2], 3)
        bias: Array = fit_groups(weights, group, count, total, WEAK, dispersion, 1)[0][:, 0, 0]
        return bias

    return estimate


def predict_people(relabeller: Relabeller, batch: MixedBatch, people: Index) -> Array:
    """Predict the distributions of people's answers about mixed images, shape (P, I, 101).

    Args:
        relabeller: The model.
        batch: I mixed images.
        people: The numbers of P people whom the relabeller learned from, or 0 for people in general.
    """
    rows = len(batch.id_1)
    everybody = torch.from_numpy(np.repeat(people, rows))
    image = torch.arange(rows).repeat(len(people))
    masses = [
        relabeller.mass(take(batch, of), who)
        for of, who in zip(torch.split(image, _ROWS), torch.split(everybody, _ROWS), strict=True)
    ]
    predicted: Array = torch.cat(masses).double().numpy().reshape(len(people), rows, POSITIONS)
    predicted /= predicted.sum(2, keepdims=True)
    return predicted


def estimate_person_share(relabeller: Relabeller, table: pd.DataFrame, num_classes: int, of_pairs: bool) -> float:
    """Estimate the share of the variance around the relabeller's predictions that answers of a person have in common.

    Args:
        relabeller: Fitted to the judgements.
        table: Judgements, as `judgement_table` makes them.
        num_classes: Number of classes.
        of_pairs: Whether to compare only a person's answers to the same class pair, rather than all of them.
    """
    numbers = {name: number for number, name in enumerate(relabeller.annotators, start=1)}
    person = np.array([numbers.get(name, NOBODY) for name in table["annotator"]])
    expected = relabeller.mean(Answers.of(table, num_classes).batch, torch.from_numpy(person)).double().numpy()
    residual = table["lambda_h"].to_numpy(float) - expected
    group = [table["person"].to_numpy()]
    if of_pairs:
        classes = table[["class_1", "class_2"]].to_numpy()
        residual = np.where(classes[:, 0] > classes[:, 1], -residual, residual)
        group += [*np.sort(classes, axis=1).T]
    _, member = np.unique(np.stack(group), axis=1, return_inverse=True)
    return shared_variance(residual, member.reshape(-1))


def shared_variance(values: Array, group: Index) -> float:
    """Estimate the share of the mean square that values of a group have in common.

    This is the mean product of two members of a group, divided by the mean square.

    Args:
        values: Residuals, shape (N,).
        group: The group of each value, shape (N,), counted from 0.

    Returns:
        The share, from 0 to 1. It is 0 if no group has two members.

    Examples:
        >>> shared_variance(np.array([1.0, 1.0, -1.0, -1.0]), np.array([0, 0, 1, 1]))
        1.0
        >>> shared_variance(np.array([1.0, -1.0, 2.0, -2.0]), np.array([0, 0, 1, 1]))
        0.0
    """
    size, total, squares = (np.bincount(group, values**power) for power in (0, 1, 2))
    pairs = float((size * (size - 1)).sum())
    if not pairs or not squares.any():
        return 0.0
    covariance = float((total**2 - squares).sum()) / pairs
    return float(np.clip(covariance / np.mean(values**2), 0, 1))


def bits_of_images(general: Array, cell: Index) -> Array:
    """Return by how many bits the relabeller predicts an answer better than its mean over the images of a cell.

    Args:
        general: The distributions of the answers of people in general, shape (I, 101).
        cell: The class pair and lambda_f of each image as a number, shape (I,), counted from 0.

    Returns:
        Differences of log2, shape (I, 101).
    """
    size = np.bincount(cell)
    summed = np.zeros((len(size), POSITIONS))
    np.add.at(summed, cell, general)
    averaged = (summed / size[:, None])[cell]
    difference: Array = np.log2(np.maximum(general, _LEAST_MASS)) - np.log2(np.maximum(averaged, _LEAST_MASS))
    return difference

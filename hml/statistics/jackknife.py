"""Intervals for judgements that cross people with images: both are random, since neither's judgements are independent.

Two designs are told apart by what would be drawn again:

- "people and images": other people judge other images of the same classes. Images that blend the same two endpoints
  come and go together. This is the design of every interval unless it says otherwise.
- "people": other people judge the same images.

Variances are added as Cameron, Gelbach and Miller do. For people and images: what pairs of endpoints contribute, noise
included, and what a person's judgements of different pairs have in common. Noise isn't counted twice, as resampling
both factors would (Owen, 2007). For people: their noise on each image, and again what they have in common.

What contributes is found by a jackknife. It takes .6 of the weight of some judgements and scales the change up. For a
linear statistic this is the usual jackknife. In a mean of n judgements of an image, one that differs from it by d has
the effect d/(n − .6), close to the unbiased d/√(n·(n − 1)), as in Bell and McCaffrey's CR2: the usual jackknife has
d/(n − 1), which is too much for two judgements, and resampling people would lose images. What a person's judgements
have in common needs the full d/(n − 1), since the other judgements' own habits cancel in the sum.

Source: Bell and McCaffrey, "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage Samples", 2002;
Cameron, Gelbach and Miller, "Robust Inference with Multiway Clustering", 2011; Owen, "The Pigeonhole Bootstrap", 2007;
Woodruff, "Confidence Intervals for Medians and Other Position Measures", 1952.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats
from scipy.sparse import csr_array
from scipy.special import ndtr

from hml.statistics.estimates import ANYWHERE, CORRELATION, FEWEST_PEOPLE, Array, Bounds, Estimate, Index

BOTH, PEOPLE = "people and images", "people"
"""What an interval takes as random, as its column `random` names it."""

FEWEST_PAIRS = 3
"""Of fewer pairs of endpoints an interval for other images says nothing."""

_CHUNK = 250
_SOME, _ALL = 0.6, 0.98  # what is taken of a weight; something is left lest an image be lost
_PARTS = 8  # of a person's judgements, by pairs of endpoints
_MOST_PEOPLE, _MOST_PAIRS = 200, 300  # more are made lighter several at a time
_LEVEL = 0.975
_MOST_KEPT = 10_000_000


@dataclass(frozen=True)
class Weights:
    """Weights of N judgements in each of R replicates.

    Args:
        judgements: Every judgement's weight, shape (R, N).
        endpoints: The factor in it that its pair of endpoints has, shape (R, N).
    """

    judgements: Array
    endpoints: Array

    def of(self, table: pd.DataFrame) -> Array:
        """Return the weights of a table's judgements, shape (R, rows); its column `judgement` says which they are."""
        return self.judgements[:, table["judgement"].to_numpy(np.int64)]

    def of_images(self, table: pd.DataFrame) -> Array:
        """Return the weights of a table's images by first appearance, shape (R, I), whoever judged them."""
        first = table.drop_duplicates("image")["judgement"].to_numpy(np.int64)
        return self.endpoints[:, first]

    def of_dyads(self, a: Index, b: Index) -> Array:
        """Return the weights of pairs of judgements of one image, (M,) each, shape (R, M)."""
        both: Array = self.judgements[:, a] * self.judgements[:, b] / self.endpoints[:, a]
        return both

    @classmethod
    def ones(cls, count: int) -> "Weights":
        """Weigh all judgements alike: one replicate."""
        return cls(np.ones((1, count)), np.ones((1, count)))


Statistic = Callable[[Weights], Array]
"""Takes weights and returns a value for each replicate, shape (R,) or (R, K)."""


@dataclass(frozen=True)
class Jackknife:
    """The replicates of N judgements by people of images.

    Args:
        person: Each judgement's person, shape (N,).
        image: Its image, shape (N,).
        endpoints: Its image's pair of endpoints, shape (N,).

    Example:
        >>> person, image = np.array([0, 1, 2, 0, 1, 2, 0, 1]), np.array([0, 0, 0, 1, 1, 1, 2, 3])
        >>> jackknife = Jackknife(person, image, image)
        >>> values = np.array([0.2, 0.3, 0.4, 0.6, 0.5, 0.7, 0.2, 0.9])
        >>> mean = jackknife.estimate(lambda w: (w.judgements * values).sum(1) / w.judgements.sum(1), 8, 3)
        >>> mean.value, round(mean.low, 2), round(mean.high, 2), mean.random
        (0.475, 0.08, 0.87, 'people and images')
    """

    person: Index
    image: Index
    endpoints: Index

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Jackknife":
        """Cross the people and images of a table with the columns person, image and endpoints."""
        return cls(*(table[name].to_numpy(np.int64) for name in ("person", "image", "endpoints")))

    @cached_property
    def _codes(self) -> tuple[Index, Index, Index]:
        """What is made lighter together: parts of a person's judgements, pairs of endpoints, the parts again; (N,)."""
        people = np.unique(self.person, return_inverse=True)[1].reshape(-1) % _MOST_PEOPLE
        pairs = np.unique(self.endpoints, return_inverse=True)[1].reshape(-1)
        parts = people * _PARTS + pairs % _PARTS
        return parts, pairs % _MOST_PAIRS, parts

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """How many replicates each of these makes."""
        parts, pairs, _ = (int(code.max(initial=-1)) + 1 for code in self._codes)
        parts += -parts % _PARTS
        return parts, pairs, parts

    def replicate(self, statistic: Statistic) -> Array:
        """Compute a statistic for every replicate, (R,) or (R, K), some hundreds at a time."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.concatenate([statistic(weights) for weights in self._kept or self._weights()])

    def value(self, statistic: Statistic) -> Array:
        """Compute a statistic on the judgements as they are, shape () or (K,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = statistic(Weights.ones(len(self.person)))[0]
        return found

    def estimate(
        self, statistic: Statistic, n: int, people: int, bounds: Bounds = ANYWHERE, *, same_images: bool = True
    ) -> Estimate:
        """Estimate a number, from a statistic of shape (R,)."""
        found = self.estimates(lambda w: statistic(w)[:, None], [n], [people], bounds, same_images=same_images)
        return found[0]

    def estimates(
        self,
        statistic: Statistic,
        n: Sequence[int],
        people: Sequence[int],
        bounds: Bounds = ANYWHERE,
        *,
        same_images: bool = True,
    ) -> list[Estimate]:
        """Estimate K numbers at once.

        Args:
            statistic: Returns shape (R, K).
            n: Observations behind each, K of them.
            people: People behind each, K of them.
            bounds: The least and the largest value that there can be.
            same_images: Whether there is an interval for the same images too. There is none where a statistic compares
                two answers to an image, of which most images have one pair, or depends on the size of images' errors.
        """
        values, replicates = self.value(statistic), self.replicate(statistic)
        return [
            self.conclude(float(values[k]), replicates[:, k], n[k], people[k], bounds, same_images=same_images)
            for k in range(len(values))
        ]

    def conclude(
        self,
        value: float,
        replicates: Array,
        n: int,
        people: int,
        bounds: Bounds = ANYWHERE,
        *,
        same_images: bool = True,
        unknown: float = 0.0,
    ) -> Estimate:
        """Set a number between the ends of its intervals.

        Args:
            value: The number; NaN says that it can't be computed.
            replicates: It in each replicate, shape (R,).
            n: Observations behind it.
            people: People behind it; fewer than `FEWEST_PEOPLE` get no interval.
            bounds: The least and the largest value that there can be.
            same_images: As in `estimates`.
            unknown: The standard deviation of an error that no weights change, such as a shrunk estimate's bias.
        """
        if not math.isfinite(value):
            return Estimate(None, None, None, n, people)
        reaches = self.half_widths(value, replicates, people)
        more = stats.norm.ppf(_LEVEL) * unknown
        ends = [(None, None) if reach is None else _reach(value, math.hypot(reach, more), bounds) for reach in reaches]
        if not same_images:
            ends[1] = (None, None)
        (low, high), (low_people, high_people) = ends
        return Estimate(value, low, high, n, people, BOTH, low_people, high_people)

    def quantile(
        self, spread: Callable[[Weights], tuple[Array, Array]], q: float, n: int, people: int, smooth: float
    ) -> Estimate:
        """Estimate a quantile by Woodruff's method: from the error of the share of values below it.

        Args:
            spread: Returns values and their weights, each of shape (R, M); values may have shape (M,).
            q: Which quantile, in [0, 1].
            n: Observations behind it.
            people: People behind it.
            smooth: The standard deviation of a normal distribution that smooths the share, so that a small change of
                the weights changes it little.
        """
        values, weights = spread(Weights.ones(len(self.person)))
        values = np.sort(np.broadcast_to(values, weights.shape)[0])
        if not len(values):
            return Estimate(None, None, None, n, people)
        found = float(np.quantile(values, q))

        def share(some: Weights) -> Array:
            at, weight = spread(some)
            below: Array = (weight * ndtr((found - at) / smooth)).sum(1) / weight.sum(1)
            return below

        ends: list[float | None] = []
        for error in self.half_widths(float(self.value(share)), self.replicate(share), people):
            if error is None:
                ends += [None, None]
                continue
            low, high = np.quantile(values, np.clip([q - error, q + error], 0, 1))
            ends += [float(low), float(high)]
        return Estimate(found, ends[0], ends[1], n, people, BOTH, ends[2], ends[3])

    def half_widths(self, value: float, replicates: Array, people: int) -> tuple[float | None, float | None]:
        """Return half the width of the t interval for people and images, and for people on the same images.

        Each part of a variance has its own t quantile, and squared half-widths are added, as in
        `hml.statistics.crossed`. None where too few people or pairs of endpoints are behind a number.
        """
        cells, pairs, _ = self._sizes
        if people < FEWEST_PEOPLE or not bool(np.isfinite(replicates).all()):
            return None, None
        noise = _centre((replicates[:cells] - value) / _SOME)
        images = _centre((replicates[cells : cells + pairs] - value) / _SOME)
        habit = _centre((replicates[cells + pairs :] - value) / _ALL).reshape(-1, _PARTS)
        # What a person's judgements of different pairs have in common.
        common = _PARTS / (_PARTS - 1) * float((habit.sum(1) ** 2 - (habit**2).sum(1)).sum())
        of_people = _t(people) ** 2 * max(common, 0.0)
        same = math.sqrt(_t(self._count(noise)) ** 2 * float((noise**2).sum()) + of_people)
        if (behind := self._count(images)) < FEWEST_PAIRS:
            return None, same
        both = _t(behind) ** 2 * float((images**2).sum()) + of_people
        return math.sqrt(both), same

    @staticmethod
    def _count(change: Array) -> int:
        """Count the clusters that a number rests on: those that change it by more than a fiftieth of the most."""
        size = np.abs(change)
        return int((size > 0.02 * size.max(initial=0)).sum())

    @cached_property
    def _kept(self) -> list[Weights]:
        """The weights, where they don't take much memory."""
        return list(self._weights()) if sum(self._sizes) * len(self.person) < _MOST_KEPT else []

    def _weights(self) -> Iterator[Weights]:
        for kind, (code, size) in enumerate(zip(self._codes, self._sizes, strict=True)):
            for at in range(0, size, _CHUNK):
                chosen = code == np.arange(at, min(at + _CHUNK, size))[:, None]  # (R, N)
                weights = np.where(chosen, 1 - (_ALL if kind == 2 else _SOME), 1.0)
                ones = np.ones_like(weights)
                if kind == 0:
                    yield Weights(self._keep_images(weights), ones)
                else:
                    yield Weights(weights, weights if kind == 1 else ones)

    def _keep_images(self, weights: Array) -> Array:
        """Scale weights so that every image keeps its own: other people judge the same images as often."""
        images, place = np.unique(self.image, return_inverse=True)
        place = place.reshape(-1)
        size = np.bincount(place).astype(float)
        total = sums(weights, place, np.ones(len(place)), len(images))
        kept: Array = weights * (size / total)[:, place]
        return kept


def discover(estimates: Sequence[Estimate], rate: float = 0.05) -> list[bool]:
    """Tell which numbers of a list differ from 0: a share `rate` of those found is expected to be wrong at most.

    The p value of each is that of a normal distribution with the interval's width; numbers without one aren't found.

    Source: Benjamini and Hochberg, "Controlling the False Discovery Rate", 1995.

    Example:
        >>> discover([Estimate(0.5, 0.3, 0.7, 9, 9), Estimate(0.1, -0.1, 0.3, 9, 9), Estimate(0.1, None, None, 2, 2)])
        [True, False, False]
    """
    known = [one for one in estimates if one.value is not None and one.low is not None and one.high is not None]
    errors = [(one.high - one.low) / 2 / stats.norm.ppf(_LEVEL) for one in known]  # type: ignore[operator]
    p = [
        2 * float(stats.norm.sf(abs(one.value or 0.0) / error)) if error > 0 else 1.0
        for one, error in zip(known, errors, strict=True)
    ]
    adjusted: Iterator[float] = iter(stats.false_discovery_control(p) if p else [])
    return [any(one is other for other in known) and float(next(adjusted)) <= rate for one in estimates]


def sums(weights: Array, cell: Index, values: Array, num_cells: int) -> Array:
    """Sum weighted values (N,) over each cell, weights (R, N), shape (R, C)."""
    member = csr_array((values, (np.arange(len(cell)), cell)), (len(cell), num_cells))
    summed: Array = np.asarray(weights @ member)
    return summed


def _centre(change: Array) -> Array:
    """Take the mean off the changes that are not 0: what any smaller weight does, such as making averages noisier."""
    moved = change != 0
    return np.where(moved, change - (change[moved].mean() if moved.any() else 0), 0)


def _t(groups: int) -> float:
    """Return the t quantile of a variance over so many groups."""
    return float(stats.t.ppf(_LEVEL, max(groups - 1, 1)))


def _reach(value: float, reach: float, bounds: Bounds) -> tuple[float, float]:
    """Return the ends of an interval of half this width, on the scale of Fisher's z for a correlation."""
    least, largest = bounds
    if bounds == CORRELATION and abs(value) < 1 and reach > 0:
        low, high = np.tanh(np.arctanh(value) + np.array([-1, 1]) * reach / (1 - value**2))
        return float(low), float(high)
    return max(value - reach, least), min(value + reach, largest)

"""Intervals for judgements that cross people with images: both are random, since neither's judgements are independent.

Two designs are told apart by what would be drawn again:

- "people and images": other people judge other images of the same classes. Images that blend the same two endpoints
  come and go together. This is the design of every interval unless it says otherwise.
- "people": other people judge the same images.

Each uses a jackknife that halves the weight of one person, or of one pair of endpoints, at a time, and doubles the
change. For a linear statistic this is the usual jackknife. For a mean of two or three judgements of an image, deleting
a person would lose the image or overstate the change by n/(n − 1), and resampling people with replacement would lose
images too. Halving changes it by 1/(n − ½), close to the unbiased 1/√(n·(n − 1)), as Bell and McCaffrey's CR2 does.

Variances of both factors are added as Cameron, Gelbach and Miller do: what pairs of endpoints contribute, and what a
person's judgements of different pairs have in common. Noise of single judgements is in the first only, so it isn't
counted twice, as resampling both factors would (Owen, 2007).

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
from scipy.special import expit, logit, ndtr

from hml.statistics.bootstrap import ANYWHERE, FEWEST_PEOPLE, Array, Bounds, Estimate, Index

BOTH, PEOPLE = "people and images", "people"
"""What an interval takes as random, as its column `random` names it."""

FEWEST_PAIRS = 3
"""Of fewer pairs of endpoints an interval for other images says nothing."""

_CHUNK = 250
_HALF = 0.5
_PARTS = 8  # of a person's judgements, by pairs of endpoints
_MOST_PEOPLE, _MOST_PAIRS = 200, 300  # more are halved several at a time
_LEVEL = 0.975


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
        (0.475, 0.16, 0.79, 'people and images')
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
        """Each judgement's person, pair of endpoints, and cell of both, counted from 0, each of shape (N,)."""
        people = np.unique(self.person, return_inverse=True)[1].reshape(-1) % _MOST_PEOPLE
        pairs = np.unique(self.endpoints, return_inverse=True)[1].reshape(-1)
        return people, pairs % _MOST_PAIRS, people * _PARTS + pairs % _PARTS

    @property
    def _sizes(self) -> tuple[int, int, int]:
        """How many people, pairs and cells there are: as many replicates of each kind, in this order."""
        people, pairs, _ = (int(code.max(initial=-1)) + 1 for code in self._codes)
        return people, pairs, people * _PARTS

    def replicate(self, statistic: Statistic) -> Array:
        """Compute a statistic for every replicate, (R,) or (R, K), some hundreds at a time."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.concatenate([statistic(weights) for weights in self._weights()])

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
            same_images: Whether there is an interval for the same images too. Where a statistic compares two answers
                to an image, images mostly have one such pair, so their noise can't be told from what images differ by.
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
    ) -> Estimate:
        """Set a number between the ends of its intervals.

        Args:
            value: The number; NaN says that it can't be computed.
            replicates: It in each replicate, shape (R,).
            n: Observations behind it.
            people: People behind it; fewer than `FEWEST_PEOPLE` get no interval.
            bounds: The least and the largest value that there can be.
            same_images: As in `estimates`.
        """
        if not math.isfinite(value):
            return Estimate(None, None, None, n, people)
        both, same = self.errors(value, replicates, people)
        ends = [_reach(value, *error, bounds) if error else (None, None) for error in (both, same)]
        if not same_images:
            ends[1] = (None, None)
        return Estimate(value, *ends[0], n, people, BOTH, *ends[1])

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

        both, same = self.errors(float(self.value(share)), self.replicate(share), people)
        ends: list[float | None] = []
        for error in (both, same):
            if error is None:
                ends += [None, None]
                continue
            reach = error[0] * float(stats.t.ppf(_LEVEL, error[1]))
            low, high = np.quantile(values, np.clip([q - reach, q + reach], 0, 1))
            ends += [float(low), float(high)]
        return Estimate(found, ends[0], ends[1], n, people, BOTH, ends[2], ends[3])

    def errors(
        self, value: float, replicates: Array, people: int
    ) -> tuple[tuple[float, float] | None, tuple[float, float] | None]:
        """Return the standard error and its degrees of freedom for people and images, and for people on the same.

        Where too few people or pairs of endpoints are behind a number, there is none.
        """
        a, g, _ = self._sizes
        change = (replicates - value) / _HALF
        if people < FEWEST_PEOPLE or not bool(np.isfinite(change).all()):
            return None, None
        same, pairs, cells = change[:a], change[a : a + g], change[a + g :].reshape(a, _PARTS)
        freedom = float(min(people, self._count(same)) - 1) if same.any() else people - 1.0
        by_people = (math.sqrt(float((same**2).sum())), max(freedom, 1.0))
        of_pairs = float((pairs**2).sum())
        common = _PARTS / (_PARTS - 1) * float((cells.sum(1) ** 2 - (cells**2).sum(1)).sum())
        common = max(common, 0.0)
        total = of_pairs + common
        if (behind := self._count(pairs)) < FEWEST_PAIRS or total <= 0:
            return None, by_people
        parts = of_pairs**2 / (behind - 1) + common**2 / (people - 1)
        return (math.sqrt(total), max(total**2 / parts, 1.0)), by_people

    @staticmethod
    def _count(change: Array) -> int:
        """Count the clusters that a number rests on: those that change it by more than a fiftieth of the most."""
        size = np.abs(change)
        return int((size > 0.02 * size.max(initial=0)).sum())

    def _weights(self) -> Iterator[Weights]:
        for kind, (code, size) in enumerate(zip(self._codes, self._sizes, strict=True)):
            for at in range(0, size, _CHUNK):
                halved = code == np.arange(at, min(at + _CHUNK, size))[:, None]  # (R, N)
                weights = np.where(halved, 1 - _HALF, 1.0)
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


def sums(weights: Array, cell: Index, values: Array, num_cells: int) -> Array:
    """Sum weighted values (N,) over each cell, weights (R, N), shape (R, C)."""
    member = csr_array((values, (np.arange(len(cell)), cell)), (len(cell), num_cells))
    summed: Array = np.asarray(weights @ member)
    return summed


def _reach(value: float, error: float, freedom: float, bounds: Bounds) -> tuple[float, float]:
    """Return the ends of a t interval, on a scale without ends where there are bounds.

    Two bounds: log odds of where the value is between them, Fisher's z for a correlation. One: the logarithm.
    """
    reach = error * float(stats.t.ppf(_LEVEL, freedom))
    least, largest = bounds
    if not least < value < largest or reach == 0:
        return max(value - reach, least), min(value + reach, largest)
    if math.isfinite(least) and math.isfinite(largest):
        share = (value - least) / (largest - least)
        width = reach / (largest - least) / (share * (1 - share))
        low, high = expit(logit(share) + np.array([-width, width]))
        return float(least + (largest - least) * low), float(least + (largest - least) * high)
    if math.isfinite(least):
        factor = math.exp(min(reach / (value - least), 50.0))
        return least + (value - least) / factor, least + (value - least) * factor
    return value - reach, value + reach

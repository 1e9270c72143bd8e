"""Intervals for judgements in which people and images are crossed, by a jackknife over both.

An interval takes one of two things as random:

- "people and images": other people judge other images of the same classes. Images of the same two endpoints are one
  unit. All intervals are of this kind unless stated otherwise.
- "people": other people judge the same images.

Variances are added as Cameron, Gelbach and Miller do. For people and images, they are the variance between pairs of
endpoints, which contains the noise, and what a person's judgements of different pairs have in common. So noise is
counted once; resampling both factors would count it twice (Owen, 2007). For people, they are the noise of people's
judgements of each image, and again what they have in common.

Each replicate removes a part of the weight of some judgements:

- What a person's judgements have in common is the usual jackknife over people, times the share of it that comes from
  products of two parts of a person's judgements. The rest is noise.
- The noise of a mean of n judgements, from which one differs by d, needs d/√(n·(n − 1)), as in Bell and McCaffrey's
  CR2. The usual jackknife has d/(n − 1), too much for two judgements. Removing .6 of the weight gives d/(n − .6), which
  is close. Resampling people would lose images.

References:
    Bell and McCaffrey, "Bias Reduction in Standard Errors for Linear Regression with Multi-Stage Samples", 2002;
    Cameron, Gelbach and Miller, "Robust Inference with Multiway Clustering", 2011; Owen, "The Pigeonhole Bootstrap",
    2007; Woodruff, "Confidence Intervals for Medians and Other Position Measures", 1952.
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

from hml.statistics.estimates import NUMBER, Array, Estimate, Index, Kind

BOTH, PEOPLE = "people and images", "people"
"""What an interval takes as random, as its column `random` names it."""

FEWEST_PAIRS = 3
"""With fewer pairs of endpoints there is no interval for other images."""

_CHUNK = 250
_SOME, _ALL = 0.6, 0.98  # the share of a weight that is removed; never all, so that no image is lost
_PARTS = 8  # of a person's judgements, by pairs of endpoints
_MOST_PEOPLE, _MOST_PAIRS = 200, 300  # groups; of more people or pairs, several are one group
_LEVEL = 0.975
_MOST_KEPT = 10_000_000  # weights in memory


@dataclass(frozen=True)
class Weights:
    """Weights of N judgements in each of R replicates.

    Args:
        judgements: Every judgement's weight, shape (R, N).
        endpoints: The factor of it that belongs to its pair of endpoints, shape (R, N).
    """

    judgements: Array
    endpoints: Array

    def of(self, table: pd.DataFrame) -> Array:
        """Return the weights of a table's judgements, shape (R, rows), by the table's column `judgement`."""
        which = table["judgement"].to_numpy(np.int64)
        everything = np.array_equal(which, np.arange(self.judgements.shape[1]))
        return self.judgements if everything else self.judgements[:, which]

    def of_images(self, table: pd.DataFrame) -> Array:
        """Return the weights of a table's images by first appearance, shape (R, I): those of their endpoints."""
        return self.endpoints[:, table["judgement"].to_numpy(np.int64)[first_rows(table)]]

    def of_company(self, table: pd.DataFrame) -> Array:
        """Return for each of a table's judgements the product of its image's weights there, shape (R, rows).

        It is the weight of a comparison of a judgement with all others of its image.
        """
        member = pd.factorize(table["image"])[0].astype(np.int64)
        images, ones = int(member.max(initial=-1)) + 1, np.ones(len(member))
        product = np.exp(sums(np.log(self.of(table)), member, ones, images))
        again = self.of_images(table) ** (np.bincount(member, minlength=images) - 1)  # counted once for each judgement
        together: Array = (product / again)[:, member]
        return together

    def of_dyads(self, a: Index, b: Index) -> Array:
        """Return the weights of pairs of judgements of one image, (M,) each, shape (R, M)."""
        both: Array = self.judgements[:, a] * self.judgements[:, b] / self.endpoints[:, a]
        return both

    @classmethod
    def ones(cls, count: int) -> "Weights":
        """Give all judgements the weight 1: one replicate."""
        return cls(np.ones((1, count)), np.ones((1, count)))


Statistic = Callable[[Weights], Array]
"""Takes weights and returns a value for each replicate, shape (R,) or (R, K)."""


@dataclass(frozen=True)
class Jackknife:
    """The replicates of N judgements of images by people.

    Args:
        person: Each judgement's person, shape (N,).
        image: Its image, shape (N,).
        endpoints: Its image's pair of endpoints, shape (N,).

    Examples:
        >>> person, image = np.arange(24) % 8, np.arange(24) // 2  # 8 people, 12 images, each judged by two
        >>> jackknife = Jackknife(person, image, image)
        >>> values = np.arange(24) % 5 / 5
        >>> mean = jackknife.estimate(lambda w: (w.judgements * values).sum(1) / w.judgements.sum(1), n=24, people=8)
        >>> round(mean.value, 2), round(mean.low, 2), round(mean.high, 2), mean.random
        (0.38, 0.25, 0.52, 'people and images')
    """

    person: Index
    image: Index
    endpoints: Index

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Jackknife":
        """Return the replicates of a table with the columns person, image and endpoints."""
        return cls(*(table[name].to_numpy(np.int64) for name in ("person", "image", "endpoints")))

    @cached_property
    def _groups(self) -> tuple[tuple[Index, int, float], ...]:
        """For each kind of replicate: the group of each judgement, (N,), the number of groups, and the weight removed.

        The kinds are the noise of parts of people's judgements, pairs of endpoints, the parts, and people.
        """
        people = np.unique(self.person, return_inverse=True)[1].reshape(-1) % _MOST_PEOPLE
        pairs = np.unique(self.endpoints, return_inverse=True)[1].reshape(-1)
        parts, pairs, count = people * _PARTS + pairs % _PARTS, pairs % _MOST_PAIRS, int(people.max(initial=-1)) + 1
        return (
            (parts, count * _PARTS, _SOME),
            (pairs, int(pairs.max(initial=-1)) + 1, _SOME),
            (parts, count * _PARTS, _ALL),
            (people, count, _ALL),
        )

    def replicate(self, statistic: Statistic) -> Array:
        """Compute a statistic for every replicate, (R,) or (R, K), some hundreds at a time."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.concatenate([statistic(weights) for weights in self._kept or self._weights()])

    def value(self, statistic: Statistic) -> Array:
        """Compute a statistic on the judgements as they are, shape () or (K,)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = statistic(Weights.ones(len(self.person)))[0]
        return found

    def estimate(self, statistic: Statistic, n: int, people: int, kind: Kind = NUMBER) -> Estimate:
        """Estimate a number, from a statistic of shape (R,)."""
        return self.estimates(lambda weights: statistic(weights)[:, None], [n], [people], kind)[0]

    def estimates(
        self, statistic: Statistic, n: Sequence[int], people: Sequence[int], kind: Kind = NUMBER
    ) -> list[Estimate]:
        """Estimate K numbers at once.

        Args:
            statistic: Returns shape (R, K).
            n: Observations behind each, K of them.
            people: People behind each, K of them.
            kind: The kind of all of them.
        """
        values, replicates = self.value(statistic), self.replicate(statistic)
        return [self.conclude(float(values[k]), replicates[:, k], n[k], people[k], kind) for k in range(len(values))]

    def conclude(
        self, value: float, replicates: Array, n: int, people: int, kind: Kind = NUMBER, unknown: float = 0.0
    ) -> Estimate:
        """Give a number its intervals.

        Args:
            value: The number; NaN if it can't be computed.
            replicates: The number in each replicate, shape (R,).
            n: Observations behind it.
            people: People behind it.
            kind: Its kind.
            unknown: The standard deviation of an error that no weights change, such as a shrunk estimate's bias.
        """
        if not math.isfinite(value):
            return Estimate(None, None, None, n, people)
        both, same = self.half_widths(replicates - value, people, kind)
        more = stats.norm.ppf(_LEVEL) * unknown
        (low, high), (low_people, high_people) = (
            (None, None) if half is None else kind.ends(value, math.hypot(half, more)) for half in (both, same)
        )
        return Estimate(value, low, high, n, people, BOTH, low_people, high_people)

    def quantile(
        self,
        spread: Callable[[Weights], tuple[Array, Array]],
        q: float,
        n: int,
        people: int,
        smooth: tuple[float, float],
    ) -> Estimate:
        """Estimate a quantile by Woodruff's method: from the error of the share of values below it.

        The share is smoothed by a normal distribution, so that a small change of the weights changes it little.

        Args:
            spread: Returns values and their weights, each of shape (R, M); values may have shape (M,).
            q: Which quantile, in [0, 1].
            n: Observations behind it.
            people: People behind it.
            smooth: The standard deviations that smooth it: where pairs of endpoints change, which leaves values as they
                are, and where people change, which moves an image's mean.
        """
        values, weights = spread(Weights.ones(len(self.person)))
        values = np.sort(np.broadcast_to(values, weights.shape)[0])
        if not len(values):
            return Estimate(None, None, None, n, people)
        found = float(np.quantile(values, q))

        def shares(some: Weights) -> Array:
            at, weight = spread(some)
            below = [(weight * ndtr((found - at) / sd)).sum(1) / weight.sum(1) for sd in smooth]
            return np.stack(below, axis=1)  # (R, 2)

        changes = self.replicate(shares) - self.value(shares)
        kind = np.repeat(range(4), [size for _, size, _ in self._groups])
        ends: list[float | None] = []
        for error in self.half_widths(np.where(kind == 1, changes[:, 0], changes[:, 1]), people):
            around = [] if error is None else np.quantile(values, np.clip([q - error, q + error], 0, 1)).tolist()
            ends += around or [None, None]
        return Estimate(found, ends[0], ends[1], n, people, BOTH, ends[2], ends[3])

    def half_widths(self, changes: Array, people: int, kind: Kind = NUMBER) -> tuple[float | None, float | None]:
        """Return half the width of the t interval for people and images, and for people on the same images.

        Each part of a variance has its own t quantile, and squared half-widths are added, as in
        `hml.statistics.crossed`.

        Args:
            changes: How much each replicate changes the number, shape (R,).
            people: People behind it.
            kind: Its kind.

        Returns:
            The half-widths. None with too few people or pairs of endpoints, and where the kind has no interval.
        """
        if people < kind.fewest_people or not bool(np.isfinite(changes).all()):
            return None, None
        scaled = changes / np.repeat([weight for *_, weight in self._groups], [size for _, size, _ in self._groups])
        ends = np.cumsum([size for _, size, _ in self._groups])[:-1]
        noise, images, parts, persons = (_centre(part) for part in np.split(scaled, ends))
        # The usual jackknife over people, and the share of it that a person's parts have in common.
        of_people = (people - 1) / people * float((persons**2).sum())
        each, total = float((parts**2).sum()), float((parts.reshape(-1, _PARTS).sum(1) ** 2).sum())
        common = _PARTS / (_PARTS - 1) * (1 - each / total) if total > 0 else 0.0
        shared = _t(people) ** 2 * of_people * min(max(common, 0.0), 1.0)
        same = math.sqrt(_t(_count(noise)) ** 2 * float((noise**2).sum()) + shared)
        behind = _count(images)
        both = math.sqrt(_t(behind) ** 2 * float((images**2).sum()) + shared)
        return both if behind >= FEWEST_PAIRS else None, same if kind.same_images else None

    @cached_property
    def _kept(self) -> list[Weights]:
        """The weights, where they don't take much memory."""
        replicates = sum(size for _, size, _ in self._groups)
        return list(self._weights()) if replicates * len(self.person) < _MOST_KEPT else []

    def _weights(self) -> Iterator[Weights]:
        for kind, (group, size, removed) in enumerate(self._groups):
            for at in range(0, size, _CHUNK):
                chosen = group == np.arange(at, min(at + _CHUNK, size))[:, None]  # (R, N)
                weights = np.where(chosen, 1 - removed, 1.0)
                if kind == 0:
                    weights = self._keep_images(weights)
                yield Weights(weights, weights if kind == 1 else np.ones_like(weights))

    def _keep_images(self, weights: Array) -> Array:
        """Scale weights so that every image keeps its own: other people judge the same images as often."""
        images, place = np.unique(self.image, return_inverse=True)
        place = place.reshape(-1)
        size = np.bincount(place).astype(float)
        total = sums(weights, place, np.ones(len(place)), len(images))
        kept: Array = weights * (size / total)[:, place]
        return kept


def first_rows(table: pd.DataFrame) -> Index:
    """Return the position of each image's first row in a table with a column `image`, in order, shape (I,)."""
    return np.sort(np.unique(table["image"].to_numpy(np.int64), return_index=True)[1])


def sums(weights: Array, cell: Index, values: Array, num_cells: int) -> Array:
    """Sum weighted values (N,) over each cell, weights (R, N), shape (R, C)."""
    member = csr_array((values, (np.arange(len(cell)), cell)), (len(cell), num_cells))
    summed: Array = np.asarray(weights @ member)
    return summed


def _centre(changes: Array) -> Array:
    """Subtract the mean of the changes that are not 0: any smaller weight, for example, makes averages noisier."""
    moved = changes != 0
    return np.where(moved, changes - (changes[moved].mean() if moved.any() else 0), 0)


def _count(changes: Array) -> int:
    """Count the groups that a number is based on: those that change it by a fiftieth of the largest change or more."""
    size = np.abs(changes)
    return int((size > 0.02 * size.max(initial=0)).sum())


def _t(groups: int) -> float:
    """Return the t quantile of a variance over so many groups."""
    return float(stats.t.ppf(_LEVEL, max(groups - 1, 1)))

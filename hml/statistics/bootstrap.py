"""Intervals by bootstrap over annotators: a person's judgements come and go together, since they aren't independent.

Images are taken as given. For other images of the same kind an interval is too narrow, since their own share of an
answer's variance is in none of the resamples.

A resample is a weight for each person, how often they were drawn, so a statistic is a function of weights that can be
computed for all resamples at once.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from hml.errors import InputError
from hml.randomness import Draws

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Statistic = Callable[[Array], Array]
"""Takes people's weights, shape (R, A), and returns a value for each resample, shape (R,) or (R, K)."""

Bounds = tuple[float, float]
ANYWHERE: Bounds = (-math.inf, math.inf)
SHARE: Bounds = (0.0, 1.0)
CORRELATION: Bounds = (-1.0, 1.0)

FEWEST_PEOPLE = 3
"""Of fewer people an interval says nothing."""

_CHUNK = 250


@dataclass(frozen=True)
class Estimate:
    """A number, its 95 % interval, what that takes as random, and what the number rests on."""

    value: float | None  # None where there is too little to compute it
    low: float | None  # None where there are too few people or images
    high: float | None
    n: int  # observations
    people: int  # who gave them
    random: str = "people"  # what would be drawn again: "people", or "people and images"
    low_people: float | None = None  # the interval for other people and the same images, where there is one
    high_people: float | None = None

    @property
    def on_same_images(self) -> "Estimate":
        """The number with its interval for other people and the same images, as far as there is one."""
        return Estimate(self.value, self.low_people, self.high_people, self.n, self.people)

    def as_dict(self) -> dict[str, float | int | str | None]:
        """Return the fields by name."""
        return asdict(self)

    @classmethod
    def from_row(
        cls, row: Mapping[Hashable, Any], names: tuple[str, str, str] = ("value", "low", "high")
    ) -> "Estimate":
        """Read an estimate from a row's columns `names`, n and people, where pandas has made NaN of None."""
        value, low, high, low_people, high_people = (
            None if row.get(name) is None or math.isnan(row[name]) else float(row[name])
            for name in (*names, f"{names[1]}_people", f"{names[2]}_people")
        )
        random = str(row.get("random", "people"))
        return cls(value, low, high, int(row["n"]), int(row["people"]), random, low_people, high_people)


NOTHING = Estimate(None, None, None, 0, 0)


@dataclass(frozen=True)
class Bootstrap:
    """Resamples of people."""

    weights: Array  # (R, A): how often each resample drew each person; a row sums to A

    @classmethod
    def over(cls, num_people: int, replicates: int = 1000, seed: int = 0, purpose: str = "bootstrap") -> "Bootstrap":
        """Draw resamples: a pure function of the arguments.

        Args:
            num_people: How many people there are, A.
            replicates: How many resamples, R.
            seed: 0 or more.
            purpose: Resamples for different purposes are independent.

        Raises:
            InputError: replicates or seed is out of range.
        """
        if replicates < 2 or seed < 0:
            raise InputError(f"replicates={replicates} must be 2 or more, and seed={seed} 0 or more.")
        drawn = Draws(seed, 0, np.arange(replicates)).uniform(purpose, (num_people,))  # (R, A)
        who = np.minimum((drawn * num_people).astype(np.int64), num_people - 1)
        place = who + num_people * np.arange(replicates)[:, None]
        counts = np.bincount(place.ravel(), minlength=replicates * num_people)
        return cls(counts.reshape(replicates, num_people).astype(float))

    def replicate(self, statistic: Statistic) -> Array:
        """Compute a statistic for every resample, (R,) or (R, K), some hundreds at a time."""
        parts = [statistic(self.weights[at : at + _CHUNK]) for at in range(0, len(self.weights), _CHUNK)]
        return np.concatenate(parts)

    def value(self, statistic: Statistic) -> Array:
        """Compute a statistic on the people as they are, shape () or (K,)."""
        found: Array = statistic(np.ones((1, self.weights.shape[1])))[0]
        return found

    def joined(self, other: "Bootstrap") -> "Bootstrap":
        """Put another group of people beside these: A + B columns, each group resampled for itself."""
        return Bootstrap(np.concatenate([self.weights, other.weights], axis=1))

    def estimate(self, statistic: Statistic, n: int, people: int, bounds: Bounds = ANYWHERE) -> Estimate:
        """Estimate a number, from a statistic of shape (R,)."""
        return self.estimates(lambda weights: statistic(weights)[:, None], [n], [people], bounds)[0]

    def estimates(
        self, statistic: Statistic, n: Sequence[int], people: Sequence[int], bounds: Bounds = ANYWHERE
    ) -> list[Estimate]:
        """Estimate K numbers at once.

        Args:
            statistic: Returns shape (R, K).
            n: Observations behind each, K of them.
            people: People behind each, K of them.
            bounds: The least and the largest value that there can be.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            values, replicates = self.value(statistic), self.replicate(statistic)
        return [make_estimate(float(values[k]), replicates[:, k], n[k], people[k], bounds) for k in range(len(values))]


def make_estimate(value: float, replicates: Array, n: int, people: int, bounds: Bounds = ANYWHERE) -> Estimate:
    """Set a number between the ends of its interval.

    The ends are percentiles of the replicates, shifted so that the replicates' mean falls on the number: a resample
    holds fewer different people, which moves statistics of averages over people, and would move the interval. For few
    people the percentiles are expanded as Hesterberg (2015, "What teachers should know about the bootstrap") says,
    since a resample scatters too little by the factor sqrt((n − 1)/n), and a normal's tails are shorter than t's.

    Args:
        value: The number; NaN says that it can't be computed.
        replicates: It on each resample, shape (R,); NaN where it can't be computed.
        n: Observations behind it.
        people: People behind it; fewer than `FEWEST_PEOPLE` get no interval.
        bounds: The least and the largest value that there can be, beyond which no interval reaches.
    """
    if not math.isfinite(value):
        return Estimate(None, None, None, n, people)
    finite = replicates[np.isfinite(replicates)]
    if people < FEWEST_PEOPLE or len(finite) < max(2, len(replicates) // 2):
        return Estimate(value, None, None, n, people)
    tail = float(stats.norm.cdf(stats.t.ppf(0.025, people - 1) * math.sqrt(people / (people - 1))))
    low, high = value + np.quantile(finite, [tail, 1 - tail]) - finite.mean()
    least, largest = bounds
    return Estimate(value, max(min(float(low), value), least), min(max(float(high), value), largest), n, people)

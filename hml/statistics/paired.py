"""Statistics of a few seeds: means, paired differences, adjusted p values, and orders. Pure functions."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Summary:
    """The mean of n values and its standard error. A single value has no standard error."""

    n: int
    mean: float
    standard_error: float | None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The ends of the mean's 95 % t interval."""
        if self.standard_error is None:
            return None
        half = float(stats.t.ppf(0.975, self.n - 1)) * self.standard_error
        return self.mean - half, self.mean + half


@dataclass(frozen=True)
class PairedDifference:
    """The mean difference of n pairs, its 95 % t interval, the p value of a difference of 0, and its standard error.

    A single pair has only a mean. If all pairs have the same difference, there is no p, and the standard error is 0.
    """

    n: int
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    standard_error: float | None = None


@dataclass(frozen=True)
class Order:
    """The agreement of two orders of the same things, over the pairs that are tied in neither."""

    agreeing: int
    pairs: int
    reversed: tuple[tuple[str, str], ...]

    @property
    def holds(self) -> bool:
        """Whether no pair is reversed."""
        return not self.reversed


def summarise(values: Sequence[float]) -> Summary:
    """Compute the mean and its standard error, the sample's standard deviation (ddof 1) over √n.

    Args:
        values: One per seed, shape (n,), n ≥ 1.

    Examples:
        >>> summarise([1.0, 2.0, 3.0])
        Summary(n=3, mean=2.0, standard_error=0.5773502691896258)
    """
    n = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Summary(n, float(np.mean(values)), error)


def paired_difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> PairedDifference | None:
    """Compare two schemes over the seeds that both have.

    A seed sets the initial weights and the order of the images of every scheme. So differences within a seed do not
    contain the differences between seeds.

    Args:
        values: A scheme's metric by seed.
        baseline: The metric of the other scheme by seed.

    Returns:
        values − baseline; None if they have no seed in common.
    """
    pairs = np.array([(values[seed], baseline[seed]) for seed in values if seed in baseline]).reshape(-1, 2)
    difference = pairs[:, 0] - pairs[:, 1]  # (n,)
    n = len(difference)
    if n < 2:
        return PairedDifference(n, float(difference[0])) if n else None
    mean = float(difference.mean())
    if np.ptp(difference) <= _ROUNDING * np.abs(difference).max():  # the same at every seed, so t is 0/0 or infinite
        return PairedDifference(n, mean, mean, mean, standard_error=0.0)
    test = stats.ttest_rel(pairs[:, 0], pairs[:, 1])
    low, high = test.confidence_interval(0.95)
    return PairedDifference(n, mean, float(low), float(high), float(test.pvalue), float(stats.sem(difference)))


def equivalence_p(difference: PairedDifference, margin: float) -> float | None:
    """Return the p value of two one-sided t tests (TOST): small if the difference is between −margin and margin.

    Args:
        difference: The observed difference, with its standard error.
        margin: The smallest difference that matters, above 0.

    Returns:
        The larger p value of the two tests; None if the differences have no spread.

    Source: Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", 1987.

    Examples:
        >>> pairs = paired_difference({0: 1.0, 1: 1.2, 2: 1.1}, {0: 1.1, 1: 1.1, 2: 1.1})
        >>> round(equivalence_p(pairs, margin=0.5), 4)
        0.0065
    """
    if not difference.standard_error:
        return None
    return float(stats.t.sf((margin - abs(difference.mean)) / difference.standard_error, difference.n - 1))


def seeds_needed(difference: PairedDifference, effect: float, power: float = 0.8) -> int | None:
    """Return the number of pairs with which a two-sided paired t test at .05 finds an effect with the given power.

    The standard deviation of the differences is estimated from the observed pairs.

    Args:
        difference: The observed difference, with its standard error.
        effect: The true difference to find, not 0.
        power: The probability of finding it, in (0, 1).

    Returns:
        The number of pairs, 2 or more; None if the differences have no spread, or if it is more than 10,000.
    """
    if not difference.standard_error:
        return None
    effect_size = abs(effect) / (difference.standard_error * math.sqrt(difference.n))
    n = np.arange(2, 10_001)
    critical, noncentrality = stats.t.ppf(0.975, n - 1), effect_size * np.sqrt(n)
    found = stats.nct.sf(critical, n - 1, noncentrality) + stats.nct.cdf(-critical, n - 1, noncentrality)
    enough = n[np.asarray(found) >= power]
    return int(enough[0]) if len(enough) else None


def adjust_by_holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjust several p values, so that the probability of any false finding is at most the chosen level.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Examples:
        >>> adjust_by_holm({"a": 0.01, "b": 0.04, "c": 0.03})
        {'a': 0.03, 'c': 0.06, 'b': 0.06}
    """
    adjusted: dict[str, float] = {}
    largest = 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[name]))
        adjusted[name] = largest
    return adjusted


def compare_order(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Order:
    """Count the pairs that are in the same order in both.

    Args:
        ours: Values by name.
        theirs: Other values by name. The names may differ.

    Returns:
        Agreement over the names in both; each reversed pair is (smaller in theirs, larger in theirs).
    """
    agreeing, reversed_pairs = 0, []
    for a, b in itertools.combinations([name for name in theirs if name in ours], 2):
        if theirs[a] == theirs[b] or ours[a] == ours[b]:
            continue
        smaller, larger = sorted((a, b), key=theirs.__getitem__)
        if ours[smaller] < ours[larger]:
            agreeing += 1
        else:
            reversed_pairs.append((smaller, larger))
    return Order(agreeing, agreeing + len(reversed_pairs), tuple(reversed_pairs))

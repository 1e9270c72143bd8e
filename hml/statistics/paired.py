"""What seeds say together: means and errors, paired differences, adjusted p values, orders. Pure functions."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Summary:
    """The mean of n values and its standard error, which a single value has none of."""

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
    """The mean difference of n pairs, its 95 % t interval, and the p value of there being none.

    With a single pair there is no interval and no p, and no p either where all pairs differ alike.
    """

    n: int
    mean: float
    low: float | None = None
    high: float | None = None
    p: float | None = None


@dataclass(frozen=True)
class Order:
    """How two orders of the same things agree: over the pairs that neither has tied."""

    agreeing: int
    pairs: int
    reversed: tuple[tuple[str, str], ...]

    @property
    def holds(self) -> bool:
        """Whether no pair is reversed."""
        return not self.reversed


def summarise(values: Sequence[float]) -> Summary:
    """Take the mean and its standard error, the sample's standard deviation (ddof 1) over √n.

    Args:
        values: One per seed, shape (n,), n ≥ 1.

    Example:
        >>> summarise([1.0, 2.0, 3.0])
        Summary(n=3, mean=2.0, standard_error=0.5773502691896258)
    """
    n = len(values)
    error = float(np.std(values, ddof=1)) / math.sqrt(n) if n > 1 else None
    return Summary(n, float(np.mean(values)), error)


def paired_difference(values: Mapping[int, float], baseline: Mapping[int, float]) -> PairedDifference | None:
    """Compare two schemes over the seeds that both have.

    A seed fixes the first weights and the order of the images for every scheme, so differences within a seed leave
    out what seeds differ by.

    Args:
        values: A scheme's metric by seed.
        baseline: Another's.

    Returns:
        values − baseline; None where they have no seed in common.
    """
    pairs = np.array([(values[seed], baseline[seed]) for seed in values if seed in baseline]).reshape(-1, 2)
    difference = pairs[:, 0] - pairs[:, 1]  # (n,)
    n = len(difference)
    if n < 2:
        return PairedDifference(n, float(difference[0])) if n else None
    mean = float(difference.mean())
    if np.ptp(difference) <= _ROUNDING * np.abs(difference).max():  # the same at every seed: t is 0/0, or infinite
        return PairedDifference(n, mean, mean, mean)
    test = stats.ttest_rel(pairs[:, 0], pairs[:, 1])
    low, high = test.confidence_interval(0.95)
    return PairedDifference(n, mean, float(low), float(high), float(test.pvalue))


def adjust_by_holm(p: Mapping[str, float]) -> dict[str, float]:
    """Adjust p values for there being several, so that the chance of any false finding stays what each claims.

    Source: Holm, "A simple sequentially rejective multiple test procedure", 1979.

    Example:
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
    """Count the pairs that stand in the same order in both.

    Args:
        ours: Values by name.
        theirs: Others, which need not have the same names.

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

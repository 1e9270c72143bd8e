"""`Estimate`: a number with its 95 % interval, and what that interval is for. Adjusted p values for lists of them."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Bounds = tuple[float, float]

FEWEST_PEOPLE = 7
"""With fewer people there is no interval. In simulations (`tests/benchmarks/RESULTS.md`), 95 % intervals cover .89 or
more with 7 people, and down to .85 with 5."""

FEWEST_COMPARED = 15
"""The same for statistics that compare people with each other: .89 or more with 15 people, .86 to .89 with 10."""


@dataclass(frozen=True)
class Kind:
    """A kind of number, which decides the scale of its interval and when it has none.

    Args:
        least: The smallest possible value.
        largest: The largest possible value.
        scale: "linear"; "log" for sizes; "z", Fisher's, for correlations.
        fewest_people: With fewer people there is no interval.
        same_images: Whether there is an interval for the same images. There is none for a statistic that compares two
            answers to an image, since most images have one such pair, or that depends on the size of images' errors.
    """

    least: float = -math.inf
    largest: float = math.inf
    scale: Literal["linear", "log", "z"] = "linear"
    fewest_people: float = FEWEST_PEOPLE
    same_images: bool = True

    @property
    def for_other_images(self) -> "Kind":
        """The kind without an interval for the same images."""
        return replace(self, same_images=False)

    @property
    def difference(self) -> "Kind":
        """The kind of the difference of two such numbers."""
        return Kind(fewest_people=self.fewest_people, same_images=self.same_images)

    def ends(self, value: float, half: float) -> Bounds:
        """Return the ends of an interval around a value, from half its width on the linear scale."""
        if self.scale == "z" and abs(value) < 1 and half > 0:
            low, high = np.tanh(np.arctanh(value) + np.array([-1, 1]) * half / (1 - value**2))
            return float(low), float(high)
        if self.scale == "log" and value > 0:
            return value * math.exp(-half / value), value * math.exp(half / value)
        return max(value - half, self.least), min(value + half, self.largest)


NUMBER = Kind()
SHARE = Kind(0.0, 1.0)
CORRELATION = Kind(-1.0, 1.0, "z")
SIZE = Kind(0.0, math.inf, "log")
COMPARISON = replace(SIZE, fewest_people=FEWEST_COMPARED, same_images=False)
"""The size of differences between people."""
WITHOUT_INTERVAL = Kind(fewest_people=math.inf)
"""A number whose interval would cover too little, however many people there are."""

FALSE_DISCOVERY_RATE = 0.05
FDR_METHOD = "Benjamini–Hochberg"
"""Of lists of numbers that differ from no effect."""


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


_Z = float(stats.norm.ppf(0.975))

NOTHING = Estimate(None, None, None, 0, 0)


def adjust_p(estimates: Sequence[Estimate], against: Sequence[float]) -> list[float | None]:
    """Return the p values of no effect, adjusted so that they control the false discovery rate of the list.

    The p value of each is that of a normal distribution whose 95 % interval ends where the estimate's does, on the side
    of no effect. So it is below .05 if the interval excludes no effect.

    Args:
        estimates: The list.
        against: Each number's value without an effect.

    Returns:
        One for each estimate; None without an interval.

    References:
        Benjamini and Hochberg, "Controlling the False Discovery Rate", 1995.

    Examples:
        >>> adjust_p([Estimate(0.5, 0.3, 0.7, 9, 9), Estimate(0.1, -0.1, 0.3, 9, 9), Estimate(0.1, None, None, 2, 2)], [0] * 3)
        [1.9...e-06, 0.32..., None]
    """  # noqa: E501 (the call is longer than a line)
    p: dict[int, float] = {}
    for place, (estimate, nothing) in enumerate(zip(estimates, against, strict=True)):
        if estimate.value is not None and estimate.low is not None and estimate.high is not None:
            distance = estimate.value - nothing
            half = estimate.value - estimate.low if distance > 0 else estimate.high - estimate.value
            p[place] = 2 * float(stats.norm.sf(abs(distance) / half * _Z)) if half > 0 else float(distance == 0)
    adjusted = dict(zip(p, stats.false_discovery_control(list(p.values())) if p else [], strict=True))
    return [float(adjusted[place]) if place in adjusted else None for place in range(len(estimates))]


def with_adjusted_p(rows: pd.DataFrame, against: Sequence[float] | None = None) -> pd.DataFrame:
    """Add the columns `p_adjusted` and `adjustment`, the method, to estimates that are read as a list.

    Args:
        rows: An estimate's fields in each row.
        against: As in `adjust_p`; 0 unless given.
    """
    estimates = [Estimate.from_row(row) for row in rows.to_dict("records")]
    adjusted = np.array(adjust_p(estimates, against or [0.0] * len(estimates)), float)
    return rows.assign(p_adjusted=adjusted, adjustment=FDR_METHOD)

"""`Estimate`: a number with its 95 % interval, and what that interval is for."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]

Bounds = tuple[float, float]
ANYWHERE: Bounds = (-math.inf, math.inf)
SHARE: Bounds = (0.0, 1.0)
CORRELATION: Bounds = (-1.0, 1.0)

FEWEST_PEOPLE = 3
"""With fewer people there is no interval."""


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

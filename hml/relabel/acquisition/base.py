"""`Acquisition`: what ranks mixed images by what one more opinion would teach; and how a batch is chosen by it."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from typing_extensions import override

from hml.randomness import Draws
from hml.relabel.acquisition.pool import Pool
from hml.statistics.estimates import Array, Index

Gains = Generator[Array, int, None]
"""Yields what one more opinion on each image would teach, shape (N,); is sent the row that is asked about."""


class Acquisition(ABC):
    """Ranks mixed images by what one more opinion would teach, given what the same batch asks already.

    Subclass it, and name the class by its path: `hml relabel propose --acquisition my_module.Mine`.
    """

    reason: ClassVar[str] = "score"
    """What a score is, with its unit: a proposal's `reason` begins with it."""

    @abstractmethod
    def gains(self, pool: Pool) -> Gains:
        """Rank a pool's images again and again, as a batch grows.

        Args:
            pool: The images, and what is known so far.

        Yields:
            What one more opinion on each would teach, shape (N,). The generator is sent the row that was chosen, and
            yields what another opinion would teach when that one is answered, whatever the answer.
        """


@dataclass(frozen=True)
class Choice:
    """A batch: its rows of the pool, best first, and what each was to teach when it was chosen, shape (count,)."""

    rows: Index
    scores: Array


def choose(acquisition: Acquisition, pool: Pool, count: int) -> Choice:
    """Choose a batch greedily, each image given those before it; never two near-duplicates.

    Args:
        acquisition: Ranks the images.
        pool: The images.
        count: How many; the batch is smaller if no more images are left that differ.

    Returns:
        The batch: a pure function of the arguments.
    """
    gains = acquisition.gains(pool)
    value = next(gains)
    free = np.ones(len(pool), dtype=bool)
    rows: list[int] = []
    scores: list[float] = []
    while len(rows) < count and free.any():
        row = int(np.where(free, value, -np.inf).argmax())
        rows.append(row)
        scores.append(float(value[row]))
        free &= ~pool.near(row)
        if len(rows) < count:
            value = gains.send(row)
    gains.close()
    return Choice(np.array(rows, dtype=np.int64), np.array(scores))


class Random(Acquisition):
    """Ranks images at random: the baseline, as H-Mix's own images were drawn.

    score ~ U(0, 1), drawn by the pool's seed.
    """

    reason = "drawn at random"

    @override
    def gains(self, pool: Pool) -> Gains:
        drawn = Draws(pool.seed, 0, np.arange(len(pool))).uniform("random acquisition")
        while True:
            yield drawn

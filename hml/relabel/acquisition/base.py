"""`Acquisition`, which ranks mixed images by the value of one more opinion, and the greedy choice of a batch."""

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
"""Yields the value of one more opinion on each image, shape (N,). It is sent the row that was chosen."""


class Acquisition(ABC):
    """Ranks mixed images by the value of one more opinion, given the images that are already in the batch.

    Use a subclass by its path: `hml relabel propose --acquisition my_module.Mine`.
    """

    reason: ClassVar[str] = "score"
    """The meaning of a score and its unit. The `reason` of a proposal begins with it."""

    @abstractmethod
    def gains(self, pool: Pool) -> Gains:
        """Rank a pool's images, again after each choice.

        Args:
            pool: The images and the judgements so far.

        Yields:
            The value of one more opinion on each image, shape (N,). The generator is sent the row that was chosen. The
            next values assume that this image has been judged. They do not depend on the answer.
        """


@dataclass(frozen=True)
class Choice:
    """A batch: rows of the pool, best first, and their scores when they were chosen, both of shape (count,)."""

    rows: Index
    scores: Array


def choose(acquisition: Acquisition, pool: Pool, count: int) -> Choice:
    """Choose a batch greedily, without near-duplicates. A pure function of the arguments.

    Args:
        acquisition: Ranks the images.
        pool: The images.
        count: The size of the batch. It is smaller if there are fewer different images.
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
    """Ranks images at random, as H-Mix's images were drawn. The baseline.

    score ~ U(0, 1), with the pool's seed.
    """

    reason = "drawn at random"

    @override
    def gains(self, pool: Pool) -> Gains:
        drawn = Draws(pool.seed, 0, np.arange(len(pool))).uniform("random acquisition")
        while True:
            yield drawn

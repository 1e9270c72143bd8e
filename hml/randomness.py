"""Random numbers that are a pure function of (seed, epoch, index, purpose).

No global generator is read or moved, so neither ranks, workers, resuming nor a callback can change what is drawn.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LARGEST_SEED = 2**32 - 1
"""The largest that a run may have: NumPy's global generator, which Lightning seeds, takes no larger one."""


@dataclass(frozen=True)
class Draws:
    """The draws of one epoch at some indices.

    Args:
        seed: The run's seed, 0 or more.
        epoch: The epoch, counted from 0.
        index: What is drawn for: positions in the data set, shape (B,).
    """

    seed: int
    epoch: int
    index: npt.NDArray[np.int64]

    def uniform(self, purpose: str, shape: Sequence[int] = ()) -> npt.NDArray[np.float64]:
        """Draw for each index numbers in [0, 1), shape (B, *shape).

        Args:
            purpose: What the numbers are for: draws of different purposes are independent.
            shape: How many numbers each index gets.

        Examples:
            >>> Draws(seed=0, epoch=3, index=np.array([5, 2])).uniform("coin").round(3).tolist()
            [0.693, 0.228]
            >>> Draws(seed=0, epoch=3, index=np.array([2])).uniform("coin").round(3).tolist()
            [0.228]
        """
        # A Philox stream is cheap to start anywhere and its first n numbers don't depend on how many
        # are taken, so drawing up to the largest index makes each number a function of its index only.
        entropy = [self.seed, self.epoch, zlib.crc32(purpose.encode())]
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        length = int(self.index.max(initial=-1)) + 1
        return generator.random((length, *shape))[self.index]

    def order(self, purpose: str) -> npt.NDArray[np.int64]:
        """Shuffle the indices, shape (B,)."""
        return self.index[np.argsort(self.uniform(purpose), kind="stable")]

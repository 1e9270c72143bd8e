"""Random numbers that are a pure function of (seed, epoch, index, purpose).

No global generator is used. So ranks, workers, resuming and callbacks do not change the numbers.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LARGEST_SEED = 2**32 - 1
"""The largest seed of a run. NumPy's global generator, which Lightning seeds, has this limit."""


@dataclass(frozen=True)
class Draws:
    """The draws of one epoch at some indices.

    Args:
        seed: The run's seed, 0 or more.
        epoch: The epoch, counted from 0.
        index: Indices in the data set to draw for, shape (B,).
    """

    seed: int
    epoch: int
    index: npt.NDArray[np.int64]

    def uniform(self, purpose: str, shape: Sequence[int] = ()) -> npt.NDArray[np.float64]:
        """Draw numbers in [0, 1) for each index, shape (B, *shape).

        Args:
            purpose: The use of the numbers. Draws for different purposes are independent.
            shape: The shape of the numbers of each index.

        Examples:
            >>> Draws(seed=0, epoch=3, index=np.array([5, 2])).uniform("coin").round(3).tolist()
            [0.693, 0.228]
            >>> Draws(seed=0, epoch=3, index=np.array([2])).uniform("coin").round(3).tolist()
            [0.228]
        """
        # A new Philox stream is cheap, and its first n numbers do not depend on how many are drawn. So drawing up to
        # the largest index makes each number a function of its index only.
        entropy = [self.seed, self.epoch, zlib.crc32(purpose.encode())]
        generator = np.random.Generator(np.random.Philox(np.random.SeedSequence(entropy)))
        length = int(self.index.max(initial=-1)) + 1
        return generator.random((length, *shape))[self.index]

    def order(self, purpose: str) -> npt.NDArray[np.int64]:
        """Shuffle the indices, shape (B,)."""
        return self.index[np.argsort(self.uniform(purpose), kind="stable")]

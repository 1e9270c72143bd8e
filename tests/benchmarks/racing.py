"""Racing contestants: windows of steps, interleaved A B B A, so that what else a machine does falls on all alike."""

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

_RESAMPLES = 10_000


@dataclass(frozen=True)
class Ratio:
    """How many times as fast the first is as the second: median over pairs, and a 95 % bootstrap interval of it."""

    median: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        """Show it with its interval."""
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}], {self.pairs} pairs"


def compare(first: Sequence[float], second: Sequence[float]) -> Ratio:
    """Compare seconds of neighbouring windows, shape (n,) each: above 1 where the first is faster.

    Example:
        >>> str(compare([1.0, 1.0, 1.0], [2.0, 2.0, 2.0]))
        '2.000 [2.000, 2.000], 3 pairs'
    """
    ratios = np.array(second) / np.array(first)  # (n,)
    drawn = np.random.default_rng(0).choice(ratios, (_RESAMPLES, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    return Ratio(float(np.median(ratios)), float(low), float(high), len(ratios))


class Contestant:
    """A process that trains when it is told to.

    Args:
        name: What it is called where it fails.
        loop: One of `tests.benchmarks.contestants`.
        args: The loop's own.

    Attributes:
        losses: Of every step so far.
        steps_an_epoch: How many its epochs have.
        start_seconds: From its start to its first step: imports, data, the network.
    """

    def __init__(self, name: str, loop: Callable[..., None], *args: object) -> None:
        self.name = name
        spawn = get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(loop, other, *args), daemon=False)
        started = time.perf_counter()
        self._process.start()
        other.close()
        self.losses: list[float] = []
        self.steps_an_epoch: int = self._receive()  # type: ignore[assignment]
        self.start_seconds = time.perf_counter() - started

    def _receive(self) -> object:
        try:
            return self._pipe.recv()
        except EOFError:
            sys.exit(f"{self.name} ended early: see above.")

    def run(self, steps: int) -> float:
        """Take steps; return the seconds they took."""
        self.begin(steps)
        return self.finish()

    def begin(self, steps: int) -> None:
        """Begin to take steps, beside others that do."""
        self._pipe.send(steps)

    def finish(self) -> float:
        """Wait until they are taken; return the seconds they took."""
        seconds, losses = self._receive()  # type: ignore[misc]
        self.losses += losses
        return float(seconds)

    def stop(self) -> float:
        """End it; return the most memory its process held, in GiB."""
        self._pipe.send(0)
        peak = self._receive()
        self._process.join()
        return float(peak)  # type: ignore[arg-type]


def _run(loop: Callable[..., None], pipe: Connection, *args: object) -> None:
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere
        loop(pipe, *args)
    a_gib = 2**30 if sys.platform == "darwin" else 2**20  # macOS counts in bytes, Linux in KiB
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / a_gib)


def race(first: Contestant, second: Contestant, pairs: int, steps: int) -> tuple[list[float], list[float]]:
    """Interleave windows A B B A …; return the seconds of each, shape (pairs,) both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            seconds[which].append((first, second)[which].run(steps))
    return seconds

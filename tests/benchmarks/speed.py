r"""Races `hml fit` against a bare loop of its own parts, and against the loop that one would write without it.

    python -m tests.benchmarks.speed                                  # the full network on the real data: half an hour
    python -m tests.benchmarks.speed --demo --pairs 3 --steps 5       # whether it works
    python -m tests.benchmarks.speed --demo --against B --steps 600 \
        --model.network tests.benchmarks.contestants.OnePixel         # what Python does for a step

Windows of steps are interleaved A B B A, so that what else the machine does falls on all alike; a ratio is the median
over pairs of neighbouring windows, with a 95 % bootstrap interval. The same contestant against itself shows the noise.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch

from hml.hardware import best_precision
from tests.benchmarks.contestants import bare_loop, hml_fit, plain_loop

CONFIGS = Path(__file__).parents[2] / "configs"
_RESAMPLES = 10_000
_TYPES = {"bf16-mixed": torch.bfloat16, "32-true": torch.float32}


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
    """A process that trains when it is told to."""

    def __init__(self, name: str, loop: Callable[..., None], args: Sequence[object]) -> None:
        self.name = name
        spawn = multiprocessing.get_context("spawn")
        self._pipe, other = spawn.Pipe()
        self._process = spawn.Process(target=_run, args=(loop, other, *args), daemon=False)
        self._process.start()
        other.close()
        self.losses: list[float] = []
        started = time.perf_counter()
        self._receive()
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
        """End it; return the most memory it held, in GiB."""
        self._pipe.send(0)
        peak = self._receive()
        self._process.join()
        return float(peak)  # type: ignore[arg-type]


def _run(loop: Callable[..., None], pipe: Connection, *args: object) -> None:
    with Path(os.devnull).open("w") as nowhere:
        sys.stdout = nowhere
        loop(pipe, *args)
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def race(first: Contestant, second: Contestant, pairs: int, steps: int) -> tuple[list[float], list[float]]:
    """Interleave windows A B B A …; return the seconds of each, shape (pairs,) both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        for which in (0, 1) if pair % 2 == 0 else (1, 0):
            seconds[which].append((first, second)[which].run(steps))
    return seconds


def rate_of_processes(count: int, args: list[str], folder: str, pairs: int, images: int, steps: int) -> float:
    """Train in several processes at once, which share the machine's cores; return images/s of all together."""
    threads = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // count))
    contestants = [
        Contestant(f"H {k + 1} of {count}", hml_fit, ([*args, "--trainer.default_root_dir", f"{folder}/{count}_{k}"],))
        for k in range(count)
    ]
    os.environ.pop("OMP_NUM_THREADS")
    if threads is not None:
        os.environ["OMP_NUM_THREADS"] = threads
    rates = []
    for window in range(pairs + 1):
        for contestant in contestants:
            contestant.begin(steps)
        seconds = [contestant.finish() for contestant in contestants]
        if window:  # the first compiles
            rates.append(sum(images * steps / each for each in seconds))
    for contestant in contestants:
        contestant.stop()
    return float(np.median(rates))


def best_worker_count(args: list[str], steps: int) -> int:
    """Find how many DataLoader workers the plain loop is fastest with."""
    seconds = {}
    for workers in range(min(4, os.cpu_count() or 1) + 1):
        contestant = Contestant("A", plain_loop, (args, workers))
        contestant.run(3)
        seconds[workers] = contestant.run(steps)
        contestant.stop()
    return min(seconds, key=seconds.__getitem__)


def matrix_product_peak(size: int, repeats: int = 10) -> float:
    """Measure what the machine multiplies in the precision that it trains in, in FLOP/s."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    a, b = torch.randn(2, size, size, device=device, dtype=_TYPES[best_precision("auto")])
    rates = []
    for _ in range(repeats):
        started = time.perf_counter()
        float((a @ b)[0, 0])
        rates.append(2 * size**3 / (time.perf_counter() - started))
    return max(rates)


def main() -> None:
    """Race, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--steps", type=int, default=60, help="steps a window")
    parser.add_argument("--demo", action="store_true", help="made-up data and a narrow network")
    parser.add_argument(
        "--against", choices=["A", "B", "H"], nargs="*", default=["A", "B", "H"], help="H against these"
    )
    parser.add_argument("--processes", type=int, nargs="*", default=[], help="also: so many runs of H at once")
    parser.add_argument("--workers", type=int, help="A's DataLoader workers; by default as many as are fastest")
    parser.add_argument("--matrix", type=int, default=4096, help="size of the matrix product that shows the peak")
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options, flags = parser.parse_known_args()
    overlay = ["--config", str(CONFIGS / "demo.yaml")] if options.demo else []
    base = ["fit", "--config", str(CONFIGS / "sep_conf.yaml"), *overlay, "--trainer.max_epochs", "100000"]
    base += ["--trainer.devices", "1"]
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, base, flags, folder)
    print(json.dumps(figures, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


def measure(options: argparse.Namespace, base: list[str], flags: list[str], folder: str) -> dict[str, object]:
    """Race H against each that was asked for."""
    hml = [*base, *flags, "--trainer.default_root_dir", folder]
    figures: dict[str, object] = {"machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"}
    batch = 32 if options.demo else 128
    runner = Contestant("H", hml_fit, (hml,))
    figures["H: seconds to the first step"] = round(runner.start_seconds, 1)
    figures["H: seconds of the first 3 steps"] = round(runner.run(3), 1)
    for name in options.against:
        if name == "A":
            workers = options.workers
            if workers is None:
                workers = best_worker_count([*base, "--trainer.precision", "32-true"], max(2, options.steps // 6))
            figures["A: workers"] = workers
            other = Contestant("A", plain_loop, ([*base, "--trainer.precision", "32-true"], workers))
        elif name == "B":
            other = Contestant("B", bare_loop, (hml,))
        else:
            other = Contestant("H", hml_fit, ([*hml[:-1], f"{folder}/again"],))
        other.run(3)
        runner.run(3)
        ours, theirs = race(runner, other, options.pairs, options.steps)
        rates = {who: batch * options.steps / np.median(seconds) for who, seconds in (("H", ours), (name, theirs))}
        figures[f"H/{name}"] = str(compare(ours, theirs))
        figures[f"H/{name}: images/s"] = {who: round(rate, 1) for who, rate in rates.items()}
        if name == "A":
            figures["first 20 losses, H less A"] = [
                round(h - a, 4) for h, a in zip(runner.losses[:20], other.losses[:20], strict=False)
            ]
        figures[f"{name}: peak GiB"] = round(other.stop(), 2)
    figures["H: peak GiB"] = round(runner.stop(), 2)
    for count in options.processes:
        rate = rate_of_processes(count, [*base, *flags], folder, options.pairs, batch, options.steps)
        figures[f"images/s of {count} at once"] = round(rate, 1)
    figures[f"{best_precision('auto')} matrix product, TFLOP/s"] = round(matrix_product_peak(options.matrix) / 1e12, 2)
    return figures


if __name__ == "__main__":
    main()

r"""Races `hml fit` against a bare loop of its own parts, and against the loop that one would write without it.

    python -m tests.benchmarks.speed                                  # the full network on the real data: half an hour
    python -m tests.benchmarks.speed --demo --pairs 3 --steps 5       # whether it works
    python -m tests.benchmarks.speed --against --undo="--model.compile false" --undo="--model.channels_last false"
    python -m tests.benchmarks.speed --against --epochs-of 1000 7810 50000 --model.network.width 16
    python -m tests.benchmarks.speed --demo --against B --steps 600 \
        --model.network tests.benchmarks.contestants.OnePixel         # what Python does for a step

Other flags are `hml fit`'s own. Every ratio says how many times as fast `hml fit`, H, is: the median over pairs of
neighbouring windows, with a 95 % bootstrap interval. H against itself shows the noise.
"""

import argparse
import json
import os
import platform
import shlex
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from hml.training import run as training
from tests.benchmarks.contestants import bare_loop, hml_fit, plain_loop
from tests.benchmarks.racing import Contestant, compare, race

CONFIGS = Path(__file__).parents[2] / "configs"
_PLAIN = ["--trainer.precision", "32-true"]  # the plain loop's
_WARM_UP = 3  # steps, in which a contestant compiles and finds its pace
_PRODUCTS = 10
_TYPES = {"bf16": torch.bfloat16, "16": torch.float16, "32": torch.float32, "64": torch.float64}


class Bench:
    """Measures what was asked for, one figure after another.

    Args:
        options: The command line's.
        flags: `hml fit`'s own.
        folder: Where runs and what they compile go.
    """

    def __init__(self, options: argparse.Namespace, flags: list[str], folder: Path) -> None:
        overlay = ["--config", str(CONFIGS / "demo.yaml")] if options.demo else []
        self._args = ["fit", "--config", str(CONFIGS / "sep_conf.yaml"), *overlay, "--trainer.devices", "1", *flags]
        self._options, self._folder = options, folder
        cli = training.prepare(self._args)
        self._network = cli.model.network
        self._device, self._precision = cli.trainer.strategy.root_device, str(cli.trainer.precision)
        self._batch_size: int = cli.datamodule.batch_size
        self._epochs = max(0, cli.trainer.max_epochs or 0)

    def _fit(self, name: str, *flags: str) -> Contestant:
        """Start `hml fit` in a folder of this name; it trains until it is told to stop, and then tests."""
        own = ["--trainer.max_epochs", "100000", "--eval_after_fit", "true", "--run_folder", str(self._folder / name)]
        return Contestant(name, hml_fit, [*self._args, *own, *flags])

    def measure(self) -> dict[str, object]:
        """Race H against each that was asked for; return figures by what they are of."""
        options = self._options
        figures: dict[str, object] = {"machine": _name(self._device), "precision": self._precision}
        ours = self._fit("H")
        figures["H, nothing compiled before"] = self._start(ours)
        for name in options.against:
            figures |= self._race(ours, name)
        for k, flags in enumerate(options.undo):
            theirs = self._fit(f"undone_{k}", *shlex.split(flags))
            figures |= {f"H / H {flags}, {key}": value for key, value in self._pair(ours, theirs).items()}
            theirs.stop()
        seconds = [ours.run(options.steps) for _ in range(options.pairs)]
        rate = self._batch_size * options.steps / float(np.median(seconds))
        steps = self._epochs * ours.steps_an_epoch
        figures["H: images/s"] = round(rate, 1)
        figures["H: peak GiB"] = round(ours.stop(), 2)
        test = json.loads((self._folder / "H" / "metrics.json").read_text())["seconds"]["test"]
        fit = steps * self._batch_size / rate
        figures[f"a run of {self._epochs} epochs, extrapolated"] = {
            "seconds of training": round(fit),
            "seconds of its test, measured": round(test, 1),
            "the test's share": round(test / (fit + test), 4),
        }
        for count in options.processes:
            figures[f"images/s of {count} at once"] = round(self._rate_of_processes(count), 1)
        for images in options.epochs_of:
            figures[f"an epoch of {images} images"] = self._epoch(images)
        peak = matrix_product_peak(options.matrix, self._device, self._precision)
        figures["matrix product, TFLOP/s"] = round(peak / 1e12, 3)
        figures["of it, H uses"] = round(rate * flop_an_image(self._network) / peak, 3)
        return figures

    def _start(self, contestant: Contestant) -> dict[str, float]:
        return {
            "seconds to the first step": round(contestant.start_seconds, 1),
            f"seconds of the first {_WARM_UP} steps": round(contestant.run(_WARM_UP), 1),
        }

    def _race(self, ours: Contestant, name: str) -> dict[str, object]:
        """Race H against A, B or itself."""
        figures: dict[str, object] = {}
        if name == "A":
            workers = self._options.workers
            if workers is None:
                workers = self._best_worker_count()
            figures["A: workers"] = workers
            theirs = Contestant("A", plain_loop, [*self._args, *_PLAIN], workers)
        elif name == "B":
            theirs = Contestant("B", bare_loop, self._args)
        else:
            theirs = self._fit("H_again")
            figures["H, compiled before"] = self._start(theirs)
        figures |= {f"H/{name}, {key}": value for key, value in self._pair(ours, theirs).items()}
        if name == "A":
            pairs = zip(ours.losses[:20], theirs.losses[:20], strict=False)
            figures["first 20 losses, H less A"] = [round(h - a, 4) for h, a in pairs]
        figures[f"{name}: peak GiB"] = round(theirs.stop(), 2)
        return figures

    def _pair(self, ours: Contestant, theirs: Contestant) -> dict[str, object]:
        options = self._options
        theirs.run(_WARM_UP)
        ours.run(_WARM_UP)
        seconds = race(ours, theirs, options.pairs, options.steps)
        rates = [round(self._batch_size * options.steps / float(np.median(each)), 1) for each in seconds]
        return {"times as fast": str(compare(*seconds)), "images/s": rates}

    def _best_worker_count(self) -> int:
        """Find how many DataLoader workers the plain loop is fastest with."""
        seconds = {}
        for workers in range(min(4, os.cpu_count() or 1) + 1):
            contestant = Contestant("A", plain_loop, [*self._args, *_PLAIN], workers)
            contestant.run(_WARM_UP)
            seconds[workers] = contestant.run(max(2, self._options.steps // 6))
            contestant.stop()
        return min(seconds, key=seconds.__getitem__)

    def _rate_of_processes(self, count: int) -> float:
        """Train in several processes at once, which share the machine's cores; return images/s of all together."""
        threads = os.environ.get("OMP_NUM_THREADS")
        os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // count))
        contestants = [self._fit(f"H_{k + 1}_of_{count}", "--eval_after_fit", "false") for k in range(count)]
        os.environ.pop("OMP_NUM_THREADS")
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads
        rates = []
        for window in range(self._options.pairs + 1):
            steps = self._options.steps if window else _WARM_UP
            for contestant in contestants:
                contestant.begin(steps)
            seconds = [contestant.finish() for contestant in contestants]
            rates.append(sum(self._batch_size * steps / each for each in seconds))
        for contestant in contestants:
            contestant.stop()
        return float(np.median(rates[1:]))

    def _epoch(self, images: int) -> dict[str, float]:
        """Train on so many made-up images, mixed afresh; return the time from an epoch's first step to the next's."""
        data = ["--data.images", "hml.data.DemoImages", f"--data.images.num_train={images}"]
        data += ["--data.mixed", "hml.data.FreshMixes", "--data.strategy", "hml.labels.MixupLabels"]
        contestant = self._fit(f"H_{images}", *data, "--eval_after_fit", "false")
        contestant.run(contestant.steps_an_epoch + 1)
        seconds = contestant.run(contestant.steps_an_epoch)
        contestant.stop()
        trained = contestant.steps_an_epoch * self._batch_size
        return {"seconds": round(seconds, 2), "microseconds an image": round(1e6 * seconds / trained, 1)}


def matrix_product_peak(size: int, device: torch.device, precision: str) -> float:
    """Measure what a device multiplies in a Trainer's precision, in FLOP/s."""
    a, b = torch.randn(2, size, size, device=device, dtype=_TYPES[precision.partition("-")[0]])
    best = 0.0
    for _ in range(_PRODUCTS):
        started = time.perf_counter()
        for _ in range(_PRODUCTS):
            product = a @ b
        float(product[0, 0])  # waits for all
        best = max(best, _PRODUCTS * 2 * size**3 / (time.perf_counter() - started))
    return best


def flop_an_image(network: torch.nn.Module) -> float:
    """Count the floating-point operations of an image, forward and backward."""
    images = 2
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(images, 3, 32, 32)).sum().backward()
    return counter.get_total_flops() / images


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, {instructions}"


def main() -> None:
    """Race, and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--pairs", type=int, default=7)
    add("--steps", type=int, default=60, help="steps a window")
    add("--demo", action="store_true", help="made-up data and a narrow network")
    add("--against", choices=["A", "B", "H"], nargs="*", default=["A", "B", "H"], help="H against these")
    add("--undo", action="append", default=[], metavar="FLAGS", help="H against H with these flags; again for others")
    add("--processes", type=int, nargs="*", default=[], help="also: so many runs of H at once")
    add("--epochs-of", type=int, nargs="*", default=[], help="also: an epoch of so many made-up images")
    add("--workers", type=int, help="A's DataLoader workers; by default as many as are fastest")
    add("--matrix", type=int, default=4096, help="size of the matrix product that shows the peak")
    add("--out", type=Path, help="a JSON file for the figures")
    options, flags = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = f"{folder}/compiled"
        figures = Bench(options, flags, Path(folder)).measure()
    print(json.dumps(figures, indent=2))
    if options.out:
        options.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

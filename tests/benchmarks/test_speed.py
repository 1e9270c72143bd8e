"""That the benchmark runs and reckons right; no figure of it is a test."""

import json
import sys
from pathlib import Path

import pytest

from hml.models import PreActResNet18
from tests import processes
from tests.benchmarks import racing, speed
from tests.benchmarks.racing import compare, race
from tests.benchmarks.speed import flop_an_image


class Fake:
    def __init__(self, name, seconds, log):
        self.name, self.seconds, self.log = name, seconds, log

    def run(self, steps):
        self.log.append(self.name)
        return self.seconds * steps


def test_windows_are_interleaved_a_b_b_a():
    log = []
    first, second = race(Fake("A", 1.0, log), Fake("B", 3.0, log), pairs=3, steps=2)
    assert "".join(log) == "ABBAAB"
    assert (first, second) == ([2.0] * 3, [6.0] * 3)


def test_a_ratio_is_the_median_over_pairs_within_its_interval():
    ratio = compare([1.0, 2.0, 4.0], [2.0, 6.0, 4.0])
    assert ratio.median == 2.0
    assert (ratio.low, ratio.high) == (1.0, 3.0)


def test_an_images_operations_are_those_of_its_convolutions():
    width = 4
    macs = 32**2 * 9 * (3 * width + 4 * width**2)  # the stem, which needs no gradient of its input, and stage 1
    for stage in (1, 2, 3):
        inner, outer = width * 2 ** (stage - 1), width * 2**stage
        macs += (32 // 2**stage) ** 2 * (9 * (inner * outer + 3 * outer**2) + inner * outer)
    macs += 8 * width * 10
    stem = 32**2 * 9 * 3 * width
    assert flop_an_image(PreActResNet18(width=width)) == 2 * (3 * macs - stem)


def test_the_benchmark_runs(tmp_path, monkeypatch):
    command = ["speed", "--demo", "--pairs", "1", "--steps", "2"]
    command += ["--against", "A", "B", "--workers", "0", "--matrix", "64", "--out", str(tmp_path / "figures.json")]
    command += ["--data.images.num_train", "60", "--data.images.num_test", "33", "--data.mixed.images_per_pair", "1"]
    command += ["--model.network.width", "2", "--model.compile", "false", "--trainer.accelerator", "cpu"]
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setattr(sys, "argv", command)
    # Contestants are forked from a process that has imported hml, where a real race spawns them.
    monkeypatch.setattr(racing, "get_context", lambda method: processes.CONTEXT)
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # which it sets
    speed.main()
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert float(figures["H/B, times as fast"].split()[0]) > 0
    assert figures["of it, H uses"] > 0
    run = figures["a run of 8 epochs, extrapolated"]
    assert 0 < run["the test's share"] < 1
    # The same steps on the same data and seed, but for the order: losses stay alike.
    assert figures["first 20 losses, H less A"] == pytest.approx(
        [0] * len(figures["first 20 losses, H less A"]), abs=1.5
    )

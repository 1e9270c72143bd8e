from pathlib import Path

import pytest

from hml.experiments import slots
from hml.experiments.runs import Run
from hml.experiments.slots import count_slots

GIB = 2**30


@pytest.fixture
def machine(monkeypatch):
    def make(threads=8, gibibytes=None, gpus=()):
        monkeypatch.setattr(slots, "machine_threads", lambda: threads)
        monkeypatch.setattr(slots, "available_memory", lambda: gibibytes and gibibytes * GIB)
        monkeypatch.setattr(slots, "visible_gpus", lambda: list(gpus))

    return make


def runs(number, **options):
    return [Run("sep", seed, Path(str(seed)), **options) for seed in range(number)]


def test_a_cpu_carries_out_one_run_a_core(machine):
    machine(threads=8)
    assert count_slots(runs(30), threads=1) == 8
    assert count_slots(runs(30), threads=3) == 2
    assert count_slots(runs(30), threads=16) == 1
    assert count_slots(runs(3), threads=1) == 3


def test_memory_limits_how_many(machine):
    machine(threads=8, gibibytes=7)
    assert count_slots(runs(30), threads=1) == 3
    machine(threads=8, gibibytes=1)
    assert count_slots(runs(30), threads=1) == 1


def test_gpus_carry_out_a_run_each(machine):
    machine(threads=8, gpus=("0", "1"))
    assert count_slots(runs(30, on_gpu=True), threads=1) == 2
    assert count_slots(runs(30), threads=1) == 8
    assert count_slots(runs(30, on_gpu=True, devices=2), threads=1) == 1

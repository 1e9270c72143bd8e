from types import SimpleNamespace

import pytest
import torch

from hml.training import slow_steps
from hml.training.slow_steps import SlowSteps


@pytest.fixture
def train(monkeypatch):
    """Train with steps of so many seconds by a clock of the test's; return what is printed."""
    now = [100.0]
    monkeypatch.setattr(slow_steps.time, "monotonic", lambda: now[0])

    def train(seconds, device="cpu", threads=2):
        monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
        printed = []
        module = SimpleNamespace(device=torch.device(device), print=printed.append)
        callback = SlowSteps()
        callback.on_train_start(None, module)
        for number, duration in enumerate(seconds):
            callback.on_train_batch_start(None, module, None, number)
            now[0] += duration
            callback.on_train_batch_end(None, module, None, None, number)
            now[0] += 1000.0  # validation, or a checkpoint, is no part of a step
        return printed

    return train


def test_steps_that_become_many_times_slower_are_explained_once(train):
    (line,) = train([0.1] * 30 + [0.8] * 200)
    assert line.startswith("Steps take 0.8 s, 8 times as long as the first ones.")
    assert "2 threads wait for each other" in line
    assert "--threads 1" in line
    assert "\n" not in line


def test_one_thread_has_none_to_wait_for(train):
    (line,) = train([0.1] * 30 + [0.8] * 200, threads=1)
    assert "wait" not in line
    assert "--threads" not in line


@pytest.mark.parametrize(
    "seconds",
    [
        [40.0] + [0.1] * 300,  # the first step compiles
        ([0.1] * 30 + [40.0]) * 5,  # a laptop sleeps, a process is stopped
        [0.1] * 30 + [0.3] * 200,  # other work comes and takes its share
        [0.001] * 30 + [0.01] * 200,  # nobody waits for these
        [2.0] * 300,  # slow from the first step on
    ],
    ids=["compiled", "interrupted", "shared", "quick", "slow"],
)
def test_other_steps_raise_no_alarm(train, seconds):
    assert train(seconds) == []


def test_steps_of_a_gpu_are_not_timed(train):
    assert train([0.1] * 30 + [9.0] * 200, device="cuda") == []

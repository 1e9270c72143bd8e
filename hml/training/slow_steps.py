"""`SlowSteps`: prints once that training has become slow, the likely cause and what to do."""

import statistics
import time
from collections import deque
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from typing_extensions import override

_STEPS = 20
_TIMES = 5.0
_LEAST_SECONDS = 0.05
"""Faster steps are not reported: their times vary much, and their delays are short."""


class SlowSteps(Callback):
    """Prints one line, once, when steps on a CPU take many times as long as the first ones.

    Medians of twenty steps are compared, so a single step that compiles or is interrupted has no effect. Steps on a
    GPU are not timed, because they run asynchronously.
    """

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_STEPS)
        self._at_first: float | None = None
        self._started = 0.0
        self._is_done = False

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._is_done = pl_module.device.type != "cpu"

    @override
    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        self._started = time.monotonic()

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._is_done:
            return
        self._seconds.append(time.monotonic() - self._started)
        if len(self._seconds) < _STEPS:
            return
        now = statistics.median(self._seconds)
        if self._at_first is None:
            self._at_first = now
        elif now > max(_TIMES * self._at_first, _LEAST_SECONDS):
            self._is_done = True
            pl_module.print(_explain(now, self._at_first, torch.get_num_threads()))


def _explain(now: float, at_first: float, threads: int) -> str:
    why = "Other processes probably use the same cores"
    remedy = "Stop them"
    if threads > 1:
        why += f", and PyTorch's {threads} threads wait for each other at every operator"
        remedy += ", or restart training with --threads 1"
    return f"Steps take {now:.3g} s, {now / at_first:.0f} times as long as the first ones. {why}. {remedy}."

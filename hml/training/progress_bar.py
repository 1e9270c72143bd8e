"""The progress of a run: a bar on a terminal, a line per epoch if the output is a file or a pipe."""

import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar as LightningsProgressBar
from lightning.pytorch.callbacks import TQDMProgressBar
from tqdm import tqdm
from typing_extensions import override

_SECONDS_BETWEEN_DRAWINGS = 0.2


def make_progress_bar() -> LightningsProgressBar:
    """Return the progress bar for this process's standard output."""
    return ProgressBar() if sys.stdout is not None and sys.stdout.isatty() else EpochLines()


class ProgressBar(TQDMProgressBar):
    """Lightning's tqdm bar, drawn a few times per second while training instead of at every step.

    Drawing at every step took 0.3 of the 1.9 ms of overhead per step, for which a GPU may wait. Lightning's
    `refresh_rate` counts steps, whose duration depends on the network and the machine.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next_drawing = 0.0

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx + 1 < trainer.num_training_batches and time.monotonic() < self._next_drawing:
            return
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._next_drawing = time.monotonic() + _SECONDS_BETWEEN_DRAWINGS


class EpochLines(LightningsProgressBar):
    """Prints a line after each training epoch, without carriage returns."""

    def __init__(self) -> None:
        super().__init__()
        self._is_enabled = True
        self._trained: int | None = None  # the epoch that has ended and is not printed yet
        self._images = 0  # of the current epoch, in this process
        self._epoch_started = 0.0
        self._seconds: list[float] = []  # per epoch

    @override
    def disable(self) -> None:
        self._is_enabled = False

    @override
    def enable(self) -> None:
        self._is_enabled = True

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._epoch_started, self._images = time.monotonic(), 0

    @override
    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._print_epoch(trainer, pl_module)
        self._epoch_started, self._images = time.monotonic(), 0

    @override
    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(batch["index"]) * trainer.world_size

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # The module logs the epoch's loss after this hook, so the next hook prints it.
        self._trained = trainer.current_epoch
        self._seconds.append(time.monotonic() - self._epoch_started)

    @override
    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._print_epoch(trainer, pl_module)

    def _print_epoch(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._trained is None or not self._is_enabled:
            return
        done, self._trained = self._trained + 1, None
        epochs = trainer.max_epochs if trainer.max_epochs is not None and trainer.max_epochs > 0 else None
        seconds = self._seconds[-1]
        figures = self.get_metrics(trainer, pl_module)
        parts = [f"{name} {value:.4g}" for name, value in figures.items() if isinstance(value, float)]
        parts.append(f"{seconds:.1f} s ({self._images / max(seconds, 1e-9):.0f} images/s)")
        if epochs is not None and done < epochs:
            # The first epoch may be a resumed part, or include compilation: later epochs are more typical.
            left = (epochs - done) * sum(self._seconds[1:] or self._seconds) / len(self._seconds[1:] or self._seconds)
            parts.append(f"{tqdm.format_interval(left)} left")
        print(f"Epoch {done}{f' of {epochs}' if epochs else ''}: {', '.join(parts)}", flush=True)

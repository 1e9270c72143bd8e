"""`TimeLimit`: ends a process when its time is up, and leaves a run that can be resumed."""

from datetime import timedelta
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, Timer
from typing_extensions import override

from hml.errors import TimeLimitError
from hml.training.result import measure_training


class TimeLimit(Checkpoint):
    """Ends training after a time, in this process: a resumed run has it again.

    Lightning's own `Timer` counts the interrupted epoch as done, so that its other images would never be trained on.
    This is a `Checkpoint` only because Lightning calls those last: no other callback misses the end of the batch.

    `max_time` is a time as `Trainer(max_time=…)` takes it; anything else raises a MisconfigurationException.
    """

    def __init__(self, max_time: str | timedelta | dict[str, int]) -> None:
        self.max_time = max_time
        self._timer = Timer(max_time, verbose=False)
        self._step = -1

    @override
    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._timer.on_train_start(trainer, pl_module)
        self._step = trainer.global_step

    @override
    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any, **kwargs: Any) -> None:
        # A checkpoint is possible between steps, and Lightning 2.6.6 can't resume from an epoch's last batch.
        if trainer.global_step == self._step or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        self._step = trainer.global_step
        remaining = self._timer.time_remaining()
        if trainer.strategy.broadcast(remaining is not None and remaining <= 0):
            trained = measure_training(trainer)
            raise TimeLimitError(
                f"--trainer.max_time {self.max_time} is up after {trained}, {trained.steps} steps. The run is "
                "unfinished: the same command with --resume auto continues it, and hml table1 does so by itself."
            )

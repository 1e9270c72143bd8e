"""`TimeLimit`: stops training when its time is up, so that the run can be resumed."""

from datetime import timedelta
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint, Timer
from typing_extensions import override

from hml.errors import TimeLimitError
from hml.training.result import measure_training


class TimeLimit(Checkpoint):
    """Stops training after a time limit, which applies to each process: a resumed run has the full time again.

    Lightning's `Timer` counts the interrupted epoch as complete, so its remaining images would never be trained on.
    The base class is `Checkpoint` because Lightning calls checkpoints after all other callbacks.

    Args:
        max_time: The limit, in a form that `Trainer(max_time=…)` accepts.

    Raises:
        MisconfigurationException: `max_time` has another form.
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
        # A checkpoint needs a completed step, and Lightning 2.6.6 can't resume from an epoch's last batch.
        if trainer.global_step == self._step or trainer.fit_loop.epoch_loop.batch_progress.is_last_batch:
            return
        self._step = trainer.global_step
        remaining = self._timer.time_remaining()
        if trainer.strategy.broadcast(remaining is not None and remaining <= 0):
            trained = measure_training(trainer)
            raise TimeLimitError(
                f"--trainer.max_time {self.max_time} is up after {trained}, {trained.steps} steps. The run is "
                "unfinished: resume it by the same command with --resume auto. hml table1 resumes it automatically."
            )
